/** Flood: the offered load exceeds the throughput of every relay. Measures throughput and cost. */

import type { Scenario } from "../scenario.ts";
import { CLIENT_CPU, CPU, DELIVERED, FAULTS, OFFERED, P50, PEAK, SERVER_CPU } from "./load-columns.ts";
import { runOneLoad } from "./one-load.ts";

export const flood: Scenario = {
  name: "flood",
  title: "Flood: throughput when the offered load is too high",
  columns: [OFFERED, DELIVERED, CPU, CLIENT_CPU, SERVER_CPU, P50, PEAK, FAULTS],
  rounds: (plan) =>
    plan.sizes.map((size) => ({
      size,
      rate: plan.floodRate(size),
      run: async (relay, context) => {
        const outcome = await runOneLoad(relay, context, { size, rate: plan.floodRate(size) });
        const { offered = 0, delivered = 0 } = outcome.values;
        if (plan.name !== "tiny" && offered < 2 * delivered) {
          outcome.notes = [...(outcome.notes ?? []), "the generator offered less than twice the throughput"];
        }
        return outcome;
      },
    })),
};
