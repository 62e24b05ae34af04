/**
 * Sends datagrams at a steady rate, with number, time stamp and pattern. A separate program:
 *
 *     bun run bench:load 127.0.0.1:6000 [--from ADDRESS[:PORT]] [--size 172] [--rate 1000] [--seconds 10]
 *                        [--warm-up 0.3] [--sources 1] [--plain] [--round-trips]
 *
 * It sends all datagrams that are due with as few system calls as segment offload allows; with `--plain` it
 * sends each one alone. It prints one line of JSON when counting starts, one when it ends, and a report.
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
const TAIL_RATE = 10_000;
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
      plain: { type: "boolean", default: false },
      "round-trips": { type: "boolean", default: false },
    },
  });
  if (positionals[0] === undefined) throw new Error("give the destination: bench:load ADDRESS:PORT");
  const size = Number(values.size);
  if (!(size >= HEADER_BYTES && size <= 65_507))
    throw new Error(`--size must be ${HEADER_BYTES} to 65507 bytes`);
  const from = values.from.includes(":") ? parseEndpoint(values.from) : { address: values.from, port: 0 };
  const kernel = openKernel();
  const connect = parseEndpoint(positionals[0]);
  const sockets = Array.from({ length: Number(values.sources) }, () =>
    openSocket(kernel, { bind: from, connect }),
  );
  const sender = new Sender(kernel, sockets, size, !values.plain);
  const tally = values["round-trips"] ? new Tally() : undefined;
  const receiver = tally && new Receiver(kernel, tally);
  const rest = (microseconds: number) => {
    for (const fd of receiver ? sockets : []) while (receiver?.receive(fd)) {}
    kernel.sleep(Math.max(1, Math.min(receiver ? LISTEN_TICK_US : TICK_US, microseconds)));
  };

  const rate = Number(values.rate);
  offer(kernel, sender, WARM_UP, rate, Number(values["warm-up"]), rest);
  writeMessage({ type: "counting" });
  const { sent, spanS, late } = offer(kernel, sender, COUNTED, rate, Number(values.seconds), rest);
  writeMessage({ type: "counted" });
  offer(kernel, sender, TAIL, TAIL_RATE, Math.ceil(TAIL_BYTES / size) / TAIL_RATE, rest);
  const report: GeneratorReport = { sent, spanS, late };
  if (tally !== undefined) {
    const untilNs = kernel.now() + ANSWERS_S * 1e9;
    while (kernel.now() < untilNs) rest(TICK_US);
    report.answers = tally.report();
  }
  writeMessage({ type: "report", ...report });
}

/**
 * Sends datagrams at `rate` for `seconds`. When none is due it calls `rest` with the time until the next one.
 */
function offer(
  kernel: Kernel,
  sender: Sender,
  phase: Phase,
  rate: number,
  seconds: number,
  rest: (microseconds: number) => void,
) {
  const total = Math.round(rate * seconds);
  const startNs = kernel.now();
  let sent = 0;
  let late = 0;
  while (sent < total) {
    const elapsedNs = kernel.now() - startNs;
    const due = Math.min(total, Math.floor((elapsedNs / 1e9) * rate) + 1);
    if (due > sent) {
      const dueLong = Math.min(due, Math.floor(((elapsedNs - LATE_NS) / 1e9) * rate));
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
  return { sent, spanS: (kernel.now() - startNs) / 1e9, late };
}

await runProgram(main);
