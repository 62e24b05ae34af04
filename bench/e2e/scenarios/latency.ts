/**
 * Latency without congestion, at the rates of a voice call and of a busy service. One load per tunnel, from
 * its start on: its first second, when the just-in-time compiler is at work, and the settled state have rows
 * of their own.
 */

import { runLoad } from "../load.ts";
import type { Scenario, Span } from "../scenario.ts";
import { TunnelPair } from "../tunnel-pair.ts";
import { CLIENT_CPU, CPU, FAULTS, LOSS, P50, P99, P999, partOf, SERVER_CPU } from "./load-columns.ts";

export const latency: Scenario = {
  name: "latency",
  title: "One-way latency at low and medium rate: in the first second after the start, and settled",
  columns: [P50, P99, P999, LOSS, CPU, CLIENT_CPU, SERVER_CPU, FAULTS],
  rounds: (plan) =>
    plan.latencyRates.map((rate) => {
      const size = plan.sizes[0] as number;
      const seconds = Math.max(...plan.latencySpans.map(({ toS }) => toS));
      return {
        size,
        rate,
        seconds,
        parts: plan.latencySpans.map(describeSpan),
        run: async (relay, { choosePlace }) => {
          const pair = await TunnelPair.start(relay, await choosePlace());
          try {
            const load = { size, rate, seconds, warmUpSeconds: 0, parts: plan.latencySpans };
            const result = await runLoad(pair, load);
            return result.parts.map((part) => partOf(result, part, describeSpan(part.span)));
          } finally {
            await pair.stop();
          }
        },
      };
    }),
};

/** After this time the just-in-time compiler has done most of its work. */
const SETTLED_S = 10;

function describeSpan({ fromS, toS }: Span): string {
  if (fromS === 0) return toS === 1 ? "first second" : `first ${toS} s`;
  return `${fromS >= SETTLED_S ? "settled, " : ""}${fromS} s to ${toS} s after the start`;
}
