/** Many sources at once, each with a session of its own, asking an echo service. */

import { basics, runLoad } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { CPU, PEAK } from "./load-columns.ts";
import { startPerSource, TRIP_P50, TRIP_P99, tripsOf, UNANSWERED, withoutPerSource } from "./per-source.ts";

const RATE = 10_000;

export const sources: Scenario = {
  name: "sources",
  title: "Per-source mode: round trips with 1 and with many sources",
  columns: [TRIP_P50, TRIP_P99, UNANSWERED, CPU, PEAK],
  rounds: (plan) =>
    plan.sources.map((count) => ({
      size: plan.sizes[0] as number,
      rate: Math.min(RATE, plan.bothRate),
      detail: `${count} ${count === 1 ? "source" : "sources"}`,
      leftOut: withoutPerSource,
      run: async (relay, context) => {
        const pair = await startPerSource(relay, context);
        const rate = Math.min(RATE, plan.bothRate);
        try {
          const result = await runLoad(pair, { ...basics(plan), rate, sources: count, roundTrips: true });
          const { values } = tripsOf(result.generator.answers, result.sent);
          const costs = { cpuUs: result.cpuUs, peakMB: result.peakBytes / 1e6 };
          return { values: { ...values, ...costs }, notes: result.notes };
        } finally {
          await pair.stop();
        }
      },
    })),
};
