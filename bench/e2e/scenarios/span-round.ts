/**
 * A round with one load per tunnel, from the start of the tunnel on. Its first second, when the just-in-time
 * compiler is at work, and the settled state have rows of their own.
 */

import { type Load, runLoad } from "../load.ts";
import type { Plan, Round, Span } from "../scenario.ts";
import { TunnelPair } from "../tunnel-pair.ts";
import { partOf } from "./load-columns.ts";

/** A round whose parts are the `latencySpans` of the plan. */
export function spanRound({ latencySpans }: Plan, pace: Pick<Load, "size" | "rate" | "burst">): Round {
  const seconds = Math.max(...latencySpans.map(({ toS }) => toS));
  return {
    size: pace.size,
    rate: pace.rate,
    seconds,
    parts: latencySpans.map(describeSpan),
    run: async (relay, { choosePlace }) => {
      const pair = await TunnelPair.start(relay, await choosePlace());
      try {
        const result = await runLoad(pair, { ...pace, seconds, warmUpSeconds: 0, parts: latencySpans });
        return result.parts.map((part) => partOf(result, part, describeSpan(part.span)));
      } finally {
        await pair.stop();
      }
    },
  };
}

/** After this time the just-in-time compiler has done most of its work. */
const SETTLED_S = 10;

function describeSpan({ fromS, toS }: Span): string {
  if (fromS === 0) return toS === 1 ? "first second" : `first ${toS} s`;
  return `${fromS >= SETTLED_S ? "settled, " : ""}${fromS} s to ${toS} s after the start`;
}
