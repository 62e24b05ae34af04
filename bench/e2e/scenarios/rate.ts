/** Rate sweep: the highest rate with at most 0.1 % loss. */

import type { Scenario } from "../scenario.ts";
import { CPU, DELIVERED, FAULTS, LOSS, P50, P99 } from "./load-columns.ts";
import { runOneLoad } from "./one-load.ts";

/** The highest acceptable loss in per cent. */
export const LOSS_PERCENT_MAX = 0.1;
/** After a higher loss at one rate, the relay is not measured at higher rates. */
const HOPELESS_PERCENT = 20;

export const rate: Scenario = {
  name: "rate",
  title: "Rate sweep: delivered rate by offered rate, in the first seconds",
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
