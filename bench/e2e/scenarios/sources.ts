/**
 * Many sources, each with its own session, and an echo service. The memory of a session is the growth of both
 * ends divided by the number of sessions. With few sessions it is mostly other growth.
 */

import { basics, runLoad } from "../load.ts";
import type { Column, Scenario } from "../scenario.ts";
import { CPU, PEAK } from "./load-columns.ts";
import { startPerSource, TRIP_P50, TRIP_P99, tripsOf, UNANSWERED, withoutPerSource } from "./per-source.ts";

const RATE = 10_000;
const SESSION: Column = { key: "sessionKB", label: "a session", unit: "kB", digits: 1, better: "lower" };

export const sources: Scenario = {
  name: "sources",
  title: "Per-source mode: round trips with 1 and with many sources, in the first seconds",
  columns: [TRIP_P50, TRIP_P99, UNANSWERED, CPU, PEAK, SESSION],
  rounds: (plan) =>
    plan.sources.map((count) => ({
      size: plan.sizes[0] as number,
      rate: Math.min(RATE, plan.bothRate),
      detail: `${count} ${count === 1 ? "source" : "sources"}`,
      leftOut: withoutPerSource,
      run: async (relay, context) => {
        const pair = await startPerSource(relay, context);
        const rate = Math.min(RATE, plan.bothRate);
        const resident = () => pair.client.cost().nowBytes + pair.server.cost().nowBytes;
        try {
          const before = resident();
          const result = await runLoad(pair, { ...basics(plan), rate, sources: count, roundTrips: true });
          const { values } = tripsOf(result.generator.answers, result.sent);
          const costs = {
            cpuUs: result.cpuUs,
            peakMB: result.peakBytes / 1e6,
            sessionKB: (resident() - before) / count / 1000,
          };
          return { values: { ...values, ...costs }, notes: result.notes };
        } finally {
          await pair.stop();
        }
      },
    })),
};
