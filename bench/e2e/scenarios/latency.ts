/** Latency without congestion, at the rates of a voice call and of a busy service. */

import type { Scenario } from "../scenario.ts";
import { CPU, FAULTS, LOSS, P50, P99 } from "./load-columns.ts";
import { runOneLoad } from "./one-load.ts";

export const latency: Scenario = {
  name: "latency",
  title: "One-way latency at low and medium rate",
  columns: [P50, P99, LOSS, CPU, FAULTS],
  rounds: (plan) =>
    plan.latencyRates.map((rate) => ({
      size: plan.sizes[0] as number,
      rate,
      run: (relay, context) => runOneLoad(relay, context, { size: plan.sizes[0] as number, rate }),
    })),
};
