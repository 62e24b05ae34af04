/** Flood: the offered load exceeds the throughput of every relay. Measures throughput and cost. */

import { GENERATOR_SLOW, OFFERED_TOO_LITTLE } from "../instrument-limits.ts";
import type { Scenario } from "../scenario.ts";
import { CLIENT_CPU, CPU, DELIVERED, FAULTS, OFFERED, P50, PEAK, SERVER_CPU } from "./load-columns.ts";
import { runOneLoad } from "./one-load.ts";

export const flood: Scenario = {
  name: "flood",
  title: "Flood: throughput when the offered load is too high, in the first seconds",
  columns: [OFFERED, DELIVERED, CPU, CLIENT_CPU, SERVER_CPU, P50, PEAK, FAULTS],
  rounds: (plan) =>
    plan.sizes.map((size) => ({
      size,
      rate: plan.floodRate(size),
      run: async (relay, context) => {
        const outcome = await runOneLoad(relay, context, { size, rate: plan.floodRate(size) });
        const { offered = 0, delivered = 0 } = outcome.values;
        const { notes = [] } = outcome;
        if (offered >= 2 * delivered)
          return { ...outcome, notes: notes.filter((note) => note !== GENERATOR_SLOW) };
        return { ...outcome, notes: plan.name === "tiny" ? notes : [...notes, OFFERED_TOO_LITTLE] };
      },
    })),
};
