/**
 * Receives the datagrams of the generator at the other end of a tunnel, and reports loss, order and latency.
 * A separate program:
 *
 *     bun run bench:sink 0.0.0.0:7001 [--echo] [--ignore-short] [--parts FROM-TO,...]
 *
 * It ends after the load (or at Ctrl-C) and prints its report as one line of JSON. `--echo` sends datagrams
 * back, for a generator that measures round trips. `--ignore-short` makes the kernel drop datagrams that are
 * too short for the load. `--parts` reports the datagrams with these numbers separately, the last one
 * excluded.
 */

import { parseArgs } from "node:util";
import { kernelDrops } from "../../src/net/linux/socket-options.ts";
import { openKernel, openSocket } from "./kernel.ts";
import { HEADER_BYTES } from "./payload.ts";
import { parseEndpoint, runProgram, writeMessage } from "./program.ts";
import { Receiver } from "./receiver.ts";
import { ignoreShort } from "./short-filter.ts";
import { type Range, Tally, type TallyReport } from "./tally.ts";

/** The last message of a sink. */
export interface SinkReport extends TallyReport {
  /** Datagrams dropped at the sink's receive buffer. Above 0 the sink was too slow. */
  kernelDrops: number;
}

const RECEIVE_TIMEOUT_MS = 20;
/** The load has ended after this time without a datagram, at the latest DRAIN_MS_MAX after its tail. */
const QUIET_MS = 200;
const DRAIN_MS_MAX = 10_000;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      echo: { type: "boolean", default: false },
      "ignore-short": { type: "boolean", default: false },
      parts: { type: "string", default: "" },
    },
  });
  const bind = parseEndpoint(positionals[0] ?? "0.0.0.0:7001");
  const kernel = openKernel();
  const fd = openSocket(kernel, { bind, receiveTimeoutMs: RECEIVE_TIMEOUT_MS });
  if (values["ignore-short"]) ignoreShort(kernel.libc, fd, HEADER_BYTES);
  const tally = new Tally(readRanges(values.parts));
  const receiver = new Receiver(kernel, tally);
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      stopping = true;
    });
  }
  writeMessage({ type: "ready", bind: positionals[0] });

  let lastNs = kernel.now();
  let yieldedNs = lastNs;
  let stoppedNs = 0;
  let counted = 0;
  for (;;) {
    const count = receiver.receive(fd, values.echo);
    const now = kernel.now();
    if (tally.received + tally.uncounted > counted) lastNs = now; // only datagrams of the load
    counted = tally.received + tally.uncounted;
    if ((stopping || tally.tail > 0) && stoppedNs === 0) stoppedNs = now;
    if (stoppedNs > 0 && (now - lastNs > QUIET_MS * 1e6 || now - stoppedNs > DRAIN_MS_MAX * 1e6)) break;
    if (count === 0 || now - yieldedNs > RECEIVE_TIMEOUT_MS * 1e6) {
      yieldedNs = now;
      await new Promise(setImmediate); // signals are handled between two ticks of the event loop
    }
  }
  // This counter includes datagrams that the filter drops.
  const drops = values["ignore-short"] ? 0 : kernelDrops(kernel.libc, fd);
  const report: SinkReport = { ...tally.report(), kernelDrops: drops ?? 0 };
  writeMessage({ type: "report", ...report });
}

/** Reads ranges such as `0-1000,2000-3000`. */
function readRanges(text: string): Range[] {
  return [...text.matchAll(/(\d+)-(\d+)/g)].map(([, from, to]) => ({ from: Number(from), to: Number(to) }));
}

await runProgram(main);
