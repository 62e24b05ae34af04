/**
 * Sends datagrams at a steady rate, with number, time stamp and pattern. A separate program:
 *
 *     bun run bench:load 127.0.0.1:6000... [--from ADDRESS[:PORT]] [--size 172] [--rate 1000] [--seconds 10]
 *                        [--warm-up 0.3] [--sources 1] [--burst 1] [--plain] [--round-trips]
 *
 * It sends all datagrams that are due with as few system calls as segment offload allows; with `--plain` it
 * sends each one alone. With `--burst`, this many are due at once, at the same average rate. It prints one
 * line of JSON when counting starts, one when it ends, and a report.
 */

import { parseArgs } from "node:util";
import { type Kernel, openKernel, openSocket } from "./kernel.ts";
import { COUNTED, HEADER_BYTES, type Phase, TAIL, WARM_UP } from "./payload.ts";
import { parseEndpoint, runProgram, writeMessage } from "./program.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { Tally, type TallyReport } from "./tally.ts";

/** The last message of a generator. */
export interface GeneratorReport {
  /** Counted datagrams that the kernel accepted. */
  sent: number;
  /** The seconds it took to send them. */
  spanS: number;
  /** Datagrams sent more than 5 ms late. With more than a few per cent the generator was too slow. */
  late: number;
  /** With `--round-trips`, the answers; latencies are round trips. */
  answers?: TallyReport;
}

/** The average number of datagrams a second, and the number of datagrams that are due at once. */
interface Pace {
  rate: number;
  burst: number;
}

/** The longest sleep when no datagram is due. */
const TICK_US = 200;
/**
 * The same while it waits for answers: a round trip is measured longer by up to this, and 50 us of timer
 * slack.
 */
const LISTEN_TICK_US = 20;
const LATE_NS = 5e6;
/**
 * The tail: enough bytes to flush data that a relay holds back until more arrives (the original: up to 64 KiB
 * of its stream), slow enough not to fill a queue.
 */
const TAIL_BYTES = 128 << 10;
const TAIL_PACE: Pace = { rate: 10_000, burst: 1 };
const ANSWERS_S = 0.3;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      from: { type: "string", default: "0.0.0.0" },
      size: { type: "string", default: "172" },
      rate: { type: "string", default: "1000" },
      seconds: { type: "string", default: "10" },
      "warm-up": { type: "string", default: "0.3" },
      sources: { type: "string", default: "1" },
      burst: { type: "string", default: "1" },
      plain: { type: "boolean", default: false },
      "round-trips": { type: "boolean", default: false },
    },
  });
  if (positionals.length === 0) throw new Error("give the destination: bench:load ADDRESS:PORT");
  const size = Number(values.size);
  if (!(size >= HEADER_BYTES && size <= 65_507))
    throw new Error(`--size must be ${HEADER_BYTES} to 65507 bytes`);
  const from = values.from.includes(":") ? parseEndpoint(values.from) : { address: values.from, port: 0 };
  const kernel = openKernel();
  const sockets = positionals
    .map(parseEndpoint)
    .flatMap((connect) =>
      Array.from({ length: Number(values.sources) }, () => openSocket(kernel, { bind: from, connect })),
    );
  const sender = new Sender(kernel, sockets, size, !values.plain);
  const tally = values["round-trips"] ? new Tally() : undefined;
  const receiver = tally && new Receiver(kernel, tally);
  const rest = (microseconds: number) => {
    for (const fd of receiver ? sockets : []) while (receiver?.receive(fd)) {}
    kernel.sleep(Math.max(1, Math.min(receiver ? LISTEN_TICK_US : TICK_US, microseconds)));
  };

  const pace = { rate: Number(values.rate), burst: Number(values.burst) };
  offer(kernel, sender, WARM_UP, pace, Number(values["warm-up"]), rest);
  writeMessage({ type: "counting" });
  const { sent, spanS, late } = offer(kernel, sender, COUNTED, pace, Number(values.seconds), rest);
  writeMessage({ type: "counted" });
  offer(kernel, sender, TAIL, TAIL_PACE, Math.ceil(TAIL_BYTES / size) / TAIL_PACE.rate, rest);
  const report: GeneratorReport = { sent, spanS, late };
  if (tally !== undefined) {
    const untilNs = kernel.now() + ANSWERS_S * 1e9;
    while (kernel.now() < untilNs) rest(TICK_US);
    report.answers = tally.report();
  }
  writeMessage({ type: "report", ...report });
}

/**
 * Sends datagrams at a pace for `seconds`. When none is due it calls `rest` with the time until the next one.
 */
function offer(
  kernel: Kernel,
  sender: Sender,
  phase: Phase,
  { rate, burst }: Pace,
  seconds: number,
  rest: (microseconds: number) => void,
) {
  const total = Math.round(rate * seconds);
  const dueAt = (ns: number) => Math.min(total, (Math.floor((ns / 1e9) * (rate / burst)) + 1) * burst);
  const startNs = kernel.now();
  let sent = 0;
  let late = 0;
  while (sent < total) {
    const elapsedNs = kernel.now() - startNs;
    const due = dueAt(elapsedNs);
    if (due > sent) {
      const dueLong = dueAt(elapsedNs - LATE_NS);
      const taken = sender.send(phase, sent, due - sent);
      late += Math.max(0, Math.min(taken, dueLong - sent));
      sent += taken;
      if (elapsedNs > 2e9 * seconds + 1e9) break; // much too slow
    }
    if (due === sent) {
      const untilNextUs = (((sent + 1) / rate) * 1e9 - (kernel.now() - startNs)) / 1000;
      if (untilNextUs > 0) rest(untilNextUs);
    }
  }
  // The pause after the last burst is part of the load.
  const endNs = startNs + (sent / rate) * 1e9;
  for (let now = kernel.now(); now < endNs; now = kernel.now()) rest((endNs - now) / 1000);
  return { sent, spanS: (kernel.now() - startNs) / 1e9, late };
}

await runProgram(main);
