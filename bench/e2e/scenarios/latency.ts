/** Latency without congestion, at the rates of a voice call and of a busy service. */

import type { Scenario } from "../scenario.ts";
import { CLIENT_CPU, CPU, FAULTS, LOSS, P50, P99, P999, SERVER_CPU } from "./load-columns.ts";
import { spanRound } from "./span-round.ts";

export const latency: Scenario = {
  name: "latency",
  title: "One-way latency at low and medium rate: in the first second after the start, and settled",
  columns: [P50, P99, P999, LOSS, CPU, CLIENT_CPU, SERVER_CPU, FAULTS],
  rounds: (plan) => plan.latencyRates.map((rate) => spanRound(plan, { size: plan.sizes[0] as number, rate })),
};
