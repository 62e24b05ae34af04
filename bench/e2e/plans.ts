/** The plans: quick, full, table, and tiny for tests. */

import type { Plan } from "./scenario.ts";

/** More than twice the throughput of any known relay on two cores, as far as the generator can offer it. */
function floodRate(size: number): number {
  return size <= 512 ? 450_000 : size <= 1500 ? 300_000 : 30_000;
}

/** About six minutes with five relays: one repeat. */
const quick: Plan = {
  name: "quick",
  sizes: [172, 1200],
  rates: [50_000, 100_000, 200_000],
  latencyRates: [1000, 20_000],
  latencySpans: [
    { fromS: 0, toS: 1 },
    { fromS: 3, toS: 5 },
  ],
  floodRate,
  bothRate: 30_000,
  sources: [100],
  sessions: [100, 1000],
  floodingSessions: [1, 20, 100],
  floodingPeers: [20, 100],
  seconds: 1,
  warmUpSeconds: 0.3,
  linkSeconds: 4,
  links: ["b"],
  reconnectSeconds: 2,
  pings: 20,
  iperfSeconds: 5,
  repeats: 1,
};

/** For published figures: about 105 minutes with five relays. */
const full: Plan = {
  name: "full",
  sizes: [172, 1200],
  rates: [50_000, 100_000, 150_000, 200_000, 250_000],
  latencyRates: [1000, 20_000],
  latencySpans: [
    { fromS: 0, toS: 1 },
    { fromS: 10, toS: 20 },
  ],
  floodRate,
  bothRate: 40_000,
  sources: [1, 100, 1000],
  sessions: [1, 100, 1000, 5000],
  floodingSessions: [1, 20, 100],
  floodingPeers: [20, 100, 500],
  seconds: 2,
  warmUpSeconds: 0.5,
  linkSeconds: 30,
  links: ["a", "b", "c", "d"],
  reconnectSeconds: 5,
  pings: 20,
  iperfSeconds: 10,
  repeats: 5,
};

/** Delay and cost at the rates of most users, settled and from the start, for a few relays. */
const table: Plan = {
  ...full,
  name: "table",
  only: ["latency", "burst", "wireguard"],
  variants: false,
  latencySpans: [
    { fromS: 0, toS: 1 },
    { fromS: 0, toS: 3 },
    { fromS: 0, toS: 20 },
    { fromS: 10, toS: 20 },
  ],
};

/** A few hundred datagrams, for the tests. */
const tiny: Plan = {
  name: "tiny",
  sizes: [172],
  rates: [2000],
  latencyRates: [1000],
  latencySpans: [
    { fromS: 0, toS: 0.1 },
    { fromS: 0.1, toS: 0.2 },
  ],
  floodRate: () => 5000,
  bothRate: 1000,
  sources: [1, 10],
  sessions: [1, 10],
  floodingSessions: [1, 2],
  floodingPeers: [2],
  seconds: 0.1,
  warmUpSeconds: 0.05,
  linkSeconds: 0.3,
  links: ["a"],
  reconnectSeconds: 2,
  pings: 3,
  iperfSeconds: 1,
  repeats: 1,
};

export const PLANS = { quick, full, table, tiny } as const;
