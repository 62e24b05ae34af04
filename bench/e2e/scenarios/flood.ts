/** Flood: far more is offered than any relay carries. What still arrives, and at what price? */

import type { Scenario } from "../scenario.ts";
import { CLIENT_CPU, CPU, DELIVERED, FAULTS, OFFERED, P50, PEAK, SERVER_CPU } from "./load-columns.ts";
import { runOneLoad } from "./one-load.ts";

export const flood: Scenario = {
  name: "flood",
  title: "Flooded: what is carried when too much is offered",
  columns: [OFFERED, DELIVERED, CPU, CLIENT_CPU, SERVER_CPU, P50, PEAK, FAULTS],
  rounds: (plan) =>
    plan.sizes.map((size) => ({
      size,
      rate: plan.floodRate(size),
      run: async (relay, context) => {
        const outcome = await runOneLoad(relay, context, { size, rate: plan.floodRate(size) });
        const { offered = 0, delivered = 0 } = outcome.values;
        if (plan.name !== "tiny" && offered < 2 * delivered) {
          outcome.notes = [
            ...(outcome.notes ?? []),
            "offered less than twice what was carried: the generator's limit",
          ];
        }
        return outcome;
      },
    })),
};
