/**
 * Sessions: how fast they open, how many round trips they carry, and the memory of an idle one. The sources
 * and the echo service run in this process, so the figures include its share of the two cores.
 */

import { setTimeout as after } from "node:timers/promises";
import type { Column, Scenario } from "../scenario.ts";
import type { TunnelPair } from "../tunnel-pair.ts";
import { startPerSource, withoutPerSource } from "./per-source.ts";

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
/** The number of sessions that are opened concurrently. */
const OPENING_MAX = 200;

export const sessions: Scenario = {
  name: "sessions",
  title: "Per-source mode: opening sessions, asking through them, keeping them",
  columns: [OPENED, TRIPS, IDLE],
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
        const askers = await Promise.all(Array.from({ length: count }, () => Asker.open(pair)));
        try {
          const before = residentBytes(pair);
          const start = performance.now();
          await inParallel(OPENING_MAX, askers, (asker) => asker.ask());
          const openedPerSecond = (1000 * count) / (performance.now() - start);
          const tripsPerSecond = await askFor(askers, plan.seconds);
          return {
            values: {
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

  /** Settles when the answer arrives. @throws Error when it does not arrive. */
  async ask(): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.#answered = answer.resolve;
    let asked = 1;
    const again = setInterval(() => {
      if (asked++ === ASKED_MAX)
        answer.reject(new Error(`a question asked ${ASKED_MAX} times had no answer`));
      else this.#socket?.send(QUESTION);
    }, ASK_AGAIN_MS);
    this.#socket?.send(QUESTION);
    try {
      await answer.promise;
    } finally {
      clearInterval(again);
    }
  }

  close(): void {
    this.#socket?.close();
  }
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
      await (askers[next] as Asker).ask();
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
