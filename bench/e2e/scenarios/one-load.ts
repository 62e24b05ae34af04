/** For most scenarios: one load through one new tunnel. */

import { basics, type Load, runLoad } from "../load.ts";
import type { Relay } from "../relays.ts";
import type { Context, Outcome } from "../scenario.ts";
import { TunnelPair } from "../tunnel-pair.ts";
import { outcomeOf } from "./load-columns.ts";

/**
 * Starts a tunnel, sends the load and ends the tunnel. Every cell needs a new one: the original holds back
 * the end of its stream.
 */
export async function runOneLoad(
  relay: Relay,
  { plan, choosePlace }: Context,
  load: Pick<Load, "size" | "rate"> & Partial<Load>,
  extra: readonly string[] = [],
): Promise<Outcome> {
  const pair = await TunnelPair.start(relay, await choosePlace(), undefined, extra);
  try {
    return outcomeOf(await runLoad(pair, { ...basics(plan), ...load }));
  } finally {
    await pair.stop();
  }
}
