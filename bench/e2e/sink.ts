/**
 * Receives what the generator sent, at the far end of a tunnel, and says what became of it. A program of its own:
 *
 *     bun run bench:sink 0.0.0.0:7001 [--echo] [--ignore-short]
 *
 * It ends when the load is over (or at Ctrl-C) and prints its report as one line of JSON. `--echo` sends everything
 * back, for a generator that measures round trips. `--ignore-short` has the kernel drop what is too short to be the load's.
 */

import { parseArgs } from "node:util";
import { kernelDrops } from "../../src/net/linux/socket-options.ts";
import { openKernel, openSocket } from "./kernel.ts";
import { HEADER_BYTES } from "./payload.ts";
import { parseEndpoint, runProgram, writeMessage } from "./program.ts";
import { Receiver } from "./receiver.ts";
import { ignoreShort } from "./short-filter.ts";
import { Tally, type TallyReport } from "./tally.ts";

/** What a sink prints last. */
export interface SinkReport extends TallyReport {
  /** Datagrams that found this sink's own receive buffer full: above 0, the sink was too slow. */
  kernelDrops: number;
}

const RECEIVE_TIMEOUT_MS = 20;
/** How long nothing may come before the load counts as over, and how long the end may take at all. */
const QUIET_MS = 200;
const DRAIN_MS_MAX = 10_000;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      echo: { type: "boolean", default: false },
      "ignore-short": { type: "boolean", default: false },
    },
  });
  const bind = parseEndpoint(positionals[0] ?? "0.0.0.0:7001");
  const kernel = openKernel();
  const fd = openSocket(kernel, { bind, receiveTimeoutMs: RECEIVE_TIMEOUT_MS });
  if (values["ignore-short"]) ignoreShort(kernel.libc, fd, HEADER_BYTES);
  const tally = new Tally();
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
  let heard = 0;
  for (;;) {
    const count = receiver.receive(fd, values.echo);
    const now = kernel.now();
    if (tally.received + tally.uncounted > heard) lastNs = now; // what is not the load's must not keep it going
    heard = tally.received + tally.uncounted;
    if ((stopping || tally.tailSeen) && stoppedNs === 0) stoppedNs = now;
    if (stoppedNs > 0 && (now - lastNs > QUIET_MS * 1e6 || now - stoppedNs > DRAIN_MS_MAX * 1e6)) break;
    if (count === 0 || now - yieldedNs > RECEIVE_TIMEOUT_MS * 1e6) {
      yieldedNs = now;
      await new Promise(setImmediate); // signals are only heard between two turns of the event loop
    }
  }
  // What the filter drops is counted with what found no room.
  const drops = values["ignore-short"] ? 0 : kernelDrops(kernel.libc, fd);
  const report: SinkReport = { ...tally.report(), kernelDrops: drops ?? 0 };
  writeMessage({ type: "report", ...report });
}

await runProgram(main);
