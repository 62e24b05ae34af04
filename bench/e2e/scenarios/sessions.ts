/**
 * Sessions: the time to the first answer when many sources start at once, the round trips the sessions carry,
 * and the memory of an idle one. The sources and the echo service run in this process, so the figures include
 * its share of the two cores.
 */

import { setTimeout as after } from "node:timers/promises";
import { setReceiveBuffer } from "../../../src/net/linux/socket-options.ts";
import { openKernel } from "../kernel.ts";
import type { Column, Scenario } from "../scenario.ts";
import { quantile } from "../tally.ts";
import type { TunnelPair } from "../tunnel-pair.ts";
import { startPerSource, withoutPerSource } from "./per-source.ts";

const FIRST_P50: Column = {
  key: "firstP50Ms",
  label: "first answer p50",
  unit: "ms",
  digits: 0,
  better: "lower",
};
const FIRST_P99: Column = { key: "firstP99Ms", label: "p99", unit: "ms", digits: 0, better: "lower" };
const UNANSWERED: Column = {
  key: "unanswered",
  label: "without an answer",
  unit: "",
  digits: 0,
  better: "lower",
};
const OPENED: Column = { key: "openedPerSecond", label: "opened", unit: "/s", digits: 0, better: "higher" };
const TRIPS: Column = {
  key: "tripsPerSecond",
  label: "round trips",
  unit: "/s",
  digits: 0,
  better: "higher",
};
const IDLE: Column = {
  key: "idleKB",
  label: "an idle session, both ends",
  unit: "kB",
  digits: 1,
  better: "lower",
};

const QUESTION = new Uint8Array(100);
/** The number of concurrent questions. */
const ASKING_MAX = 100;
/** A question without an answer is sent again after ASK_AGAIN_MS, at most ASKED_MAX times. */
const ASK_AGAIN_MS = 1000;
const ASKED_MAX = 10;
/** At most this many sources start at once. */
const OPENING_MAX = 1000;
/** Enough for the questions of OPENING_MAX sources. */
const ECHO_BUFFER_BYTES = 4 << 20;

export const sessions: Scenario = {
  name: "sessions",
  title: `Per-source mode: all sources start at once (at most ${OPENING_MAX}), ask again, keep their sessions`,
  columns: [FIRST_P50, FIRST_P99, UNANSWERED, OPENED, TRIPS, IDLE],
  rounds: (plan) =>
    plan.sessions.map((count) => ({
      detail: `${count} ${count === 1 ? "session" : "sessions"}`,
      leftOut: withoutPerSource,
      run: async (relay, context) => {
        const pair = await startPerSource(relay, context);
        const { serverApp, serverPort } = pair.place;
        const echo = await Bun.udpSocket({
          hostname: serverApp,
          port: serverPort,
          socket: { data: (socket, payload, port, address) => void socket.send(payload, port, address) },
        });
        setReceiveBuffer(openKernel().libc, (echo as unknown as { fd: number }).fd, ECHO_BUFFER_BYTES);
        const askers = await Promise.all(Array.from({ length: count }, () => Asker.open(pair)));
        try {
          const before = residentBytes(pair);
          const start = performance.now();
          const { firstMs, answered } = await firstAnswers(askers);
          const openedPerSecond = (1000 * answered.length) / (performance.now() - start);
          const tripsPerSecond = await askFor(answered, plan.seconds);
          return {
            values: {
              firstP50Ms: quantile(firstMs, 50),
              firstP99Ms: quantile(firstMs, 99),
              unanswered: count - answered.length,
              openedPerSecond,
              tripsPerSecond,
              idleKB: (residentBytes(pair) - before) / count / 1000,
            },
          };
        } finally {
          for (const asker of askers) asker.close();
          echo.close();
          await pair.stop();
        }
      },
    })),
};

/** One UDP source. */
class Asker {
  #socket: Bun.udp.ConnectedSocket<"buffer"> | undefined;
  #answered: () => void = () => {};

  static async open({ place }: TunnelPair): Promise<Asker> {
    const asker = new Asker();
    asker.#socket = await Bun.udpSocket({
      connect: { hostname: "127.0.0.1", port: place.clientPort },
      socket: { data: () => asker.#answered(), error: () => {} },
    });
    return asker;
  }

  /** @returns the milliseconds until the answer; undefined when no answer arrives. */
  async ask(): Promise<number | undefined> {
    const answer = Promise.withResolvers<number | undefined>();
    const startMs = performance.now();
    this.#answered = () => answer.resolve(performance.now() - startMs);
    let asked = 1;
    const again = setInterval(() => {
      if (asked++ === ASKED_MAX) answer.resolve(undefined);
      else this.#socket?.send(QUESTION);
    }, ASK_AGAIN_MS);
    this.#socket?.send(QUESTION);
    try {
      return await answer.promise;
    } finally {
      clearInterval(again);
    }
  }

  close(): void {
    this.#socket?.close();
  }
}

/** All sources ask. @returns the times to the first answers, ascending, and the sources with an answer. */
export async function firstAnswers<T extends Pick<Asker, "ask">>(askers: readonly T[]) {
  const firstMs: number[] = [];
  const answered: T[] = [];
  await inParallel(OPENING_MAX, askers, async (asker) => {
    const ms = await asker.ask();
    if (ms === undefined) return;
    firstMs.push(ms);
    answered.push(asker);
  });
  if (answered.length === 0) throw new Error(`no source had an answer after ${ASKED_MAX} questions`);
  return { firstMs: firstMs.sort((a, b) => a - b), answered };
}

/**
 * Sends questions through all sessions in rotation, one at a time through each. @returns answers per second.
 */
async function askFor(askers: readonly Asker[], seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  const lanes = Math.min(ASKING_MAX, askers.length);
  let answers = 0;
  const lane = async (first: number) => {
    for (let next = first; performance.now() < until; next += lanes) {
      if (next >= askers.length) next = first;
      if ((await (askers[next] as Asker).ask()) === undefined) {
        throw new Error(`a question asked ${ASKED_MAX} times had no answer`);
      }
      answers++;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
  await after(100); // until garbage of the last answers is collected
  return answers / seconds;
}

async function inParallel<T>(
  lanes: number,
  list: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const items = list.values();
  const lane = async () => {
    for (const item of items) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

function residentBytes(pair: TunnelPair): number {
  const { client, server } = pair.cost();
  return client.nowBytes + server.nowBytes;
}
