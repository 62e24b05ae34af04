/** Rate sweep: how many datagrams a second pass with at most 0.1 % lost. */

import type { Scenario } from "../scenario.ts";
import { CPU, DELIVERED, FAULTS, LOSS, P50, P99 } from "./load-columns.ts";
import { runOneLoad } from "./one-load.ts";

/** The loss a rate may have and still count as carried, in per cent. */
export const LOSS_PERCENT_MAX = 0.1;
/** A relay that lost more than this at one rate is not asked for a higher one. */
const HOPELESS_PERCENT = 20;

export const rate: Scenario = {
  name: "rate",
  title: "Rate sweep: what arrives of what is offered",
  columns: [DELIVERED, LOSS, P50, P99, CPU, FAULTS],
  rounds: (plan) =>
    plan.sizes.flatMap((size) =>
      plan.rates.map((rate) => ({
        size,
        rate,
        run: (relay, context) => runOneLoad(relay, context, { size, rate }),
        hopeless: (earlier) => {
          const lost = earlier.find(
            (sample) => sample.size === size && (sample.values?.[LOSS.key] ?? 0) > HOPELESS_PERCENT,
          );
          return (
            lost && `${size} B not tried above ${lost.rate}/s, where over ${HOPELESS_PERCENT} % were lost`
          );
        },
      })),
    ),
};
