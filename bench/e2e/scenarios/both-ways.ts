/** Both directions at once through one tunnel. */

import { alive, basics, type Load, runLoad } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { TunnelPair } from "../tunnel-pair.ts";
import { DELIVERED, FAULTS, LOSS, outcomeOf, P50, P99 } from "./load-columns.ts";

export const bothWays: Scenario = {
  name: "both-ways",
  title: "Both directions at once: the worse of the two, in the first seconds",
  columns: [DELIVERED, LOSS, P50, P99, FAULTS],
  rounds: (plan) => [
    {
      size: plan.sizes[0] as number,
      rate: plan.bothRate,
      leftOut: (relay) => (relay.bothWays ? undefined : "its server side cannot send first"),
      run: async (relay, { choosePlace }) => {
        const pair = await TunnelPair.start(relay, await choosePlace());
        const load: Load = { ...basics(plan), rate: plan.bothRate };
        try {
          const both = [
            runLoad(pair, { ...load, direction: "there" }),
            runLoad(pair, { ...load, direction: "back" }),
          ];
          const results = await alive(pair, Promise.all(both));
          const [there, back] = results.map(outcomeOf);
          return worse(
            there?.values ?? {},
            back?.values ?? {},
            results.flatMap((result) => result.notes),
          );
        } finally {
          await pair.stop();
        }
      },
    },
  ],
};

/** The worse of each figure, without CPU: its share per direction is unknown. */
function worse(there: Record<string, number>, back: Record<string, number>, notes: string[]) {
  const values: Record<string, number> = {};
  for (const { key, better } of [DELIVERED, LOSS, P50, P99, FAULTS]) {
    const pair = [there[key] ?? Number.NaN, back[key] ?? Number.NaN];
    values[key] = better === "higher" ? Math.min(...pair) : Math.max(...pair);
  }
  return { values, notes };
}
