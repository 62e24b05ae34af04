/** Congested links: the offered load exceeds the capacity of the path. Measures delay and use of the path. */

import { runLoad } from "../load.ts";
import { inside } from "../namespaces.ts";
import { choosePlace } from "../place.ts";
import type { Column, Outcome, Plan, Round, Scenario } from "../scenario.ts";
import { FAR, type PathProperties, SlowPath, whyNoSlowPath } from "../slow-path.ts";
import { TunnelPair } from "../tunnel-pair.ts";
import { DELIVERED, FAULTS, outcomeOf, P50, P99 } from "./load-columns.ts";

/** A path, and the ratio of offered load to its capacity. */
interface Congestion extends PathProperties {
  size: number;
  overload: number;
}

const PATHS: Readonly<Record<string, Congestion>> = {
  a: { bitsPerSecond: 2e6, delayMs: 0, queueBytes: 60_000, lossPercent: 0, size: 172, overload: 1.5 },
  b: { bitsPerSecond: 20e6, delayMs: 25, queueBytes: 250_000, lossPercent: 0, size: 1200, overload: 1.25 },
  c: { bitsPerSecond: 50e6, delayMs: 100, queueBytes: 1_250_000, lossPercent: 0, size: 1200, overload: 1.25 },
  d: { bitsPerSecond: 20e6, delayMs: 25, queueBytes: 250_000, lossPercent: 1, size: 1200, overload: 1.25 },
};

const DELAY_P50: Column = { key: "p50Ms", label: "delay p50", unit: "ms", digits: 0, better: "lower" };
const DELAY_P99: Column = { key: "p99Ms", label: "p99", unit: "ms", digits: 0, better: "lower" };
const USED: Column = {
  key: "usedPercent",
  label: "of the path used",
  unit: "%",
  digits: 1,
  better: "higher",
};
/** In a packet of 1,500 bytes, with IPv4 and TCP time stamps, 1,448 bytes are stream data. */
const STREAM_SHARE = 1448 / 1500;
const FRAME_HEADER_BYTES = 2;
/** Long enough for TCP to find the rate of the longest path. */
const WARM_UP_S = 3;
const OURS_STANDS = "the link is the bottleneck here; see the result of plain udptunnel";

export const slowLink: Scenario = {
  name: "slow-link",
  title: "Congested link: one-way delay when more is offered than fits",
  columns: [DELAY_P50, DELAY_P99, DELIVERED, USED, FAULTS],
  leftOut: whyNoSlowPath,
  rounds: (plan) => plan.links.map((name) => roundOf(PATHS[name] as Congestion, plan)),
};

function roundOf(path: Congestion, plan: Plan): Round {
  const fits = (path.bitsPerSecond / 8) * (STREAM_SHARE / (path.size + FRAME_HEADER_BYTES));
  const rate = Math.round(fits * path.overload);
  const warmUpSeconds = Math.min(WARM_UP_S, plan.linkSeconds);
  return {
    size: path.size,
    rate,
    detail: describe(path),
    seconds: warmUpSeconds + plan.linkSeconds,
    leftOut: (relay) => (relay.variant ? OURS_STANDS : undefined),
    run: async (relay): Promise<Outcome> => {
      await using slow = await SlowPath.open(path);
      const [near, far] = [inside(slow.near), inside(slow.far)];
      const place = { ...(await choosePlace()), serverHost: FAR };
      const pair = await TunnelPair.start(relay, place, { client: near, server: far });
      try {
        const result = await runLoad(pair, {
          ...{ size: path.size, rate, seconds: plan.linkSeconds },
          warmUpSeconds,
          wrappers: { generator: near, sink: far },
        });
        const outcome = outcomeOf(result);
        for (const [to, from] of [
          [DELAY_P50, P50],
          [DELAY_P99, P99],
        ] as const) {
          outcome.values[to.key] = (outcome.values[from.key] ?? Number.NaN) / 1000;
        }
        outcome.values[USED.key] = (100 * result.deliveredPerSecond) / fits;
        return { ...outcome, timeline: result.sink.timeline };
      } finally {
        await pair.stop();
      }
    },
  };
}

function describe({ bitsPerSecond, delayMs, queueBytes, lossPercent }: PathProperties): string {
  const loss = lossPercent === 0 ? "" : `, ${lossPercent} % lost`;
  return `through ${bitsPerSecond / 1e6} Mbit/s, ${delayMs} ms, ${queueBytes / 1000} kB buffer${loss}`;
}
