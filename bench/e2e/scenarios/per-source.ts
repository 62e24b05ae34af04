/** Shared code of the scenarios for per-source mode, where every UDP source has its own TCP connection. */

import type { Relay } from "../relays.ts";
import type { Column, Context, Outcome } from "../scenario.ts";
import { PERCENTILES, type TallyReport } from "../tally.ts";
import { TunnelPair } from "../tunnel-pair.ts";

export const TRIP_P50: Column = {
  key: "tripP50Us",
  label: "round trip p50",
  unit: "us",
  digits: 0,
  better: "lower",
};
export const TRIP_P99: Column = { key: "tripP99Us", label: "p99", unit: "us", digits: 0, better: "lower" };
export const UNANSWERED: Column = {
  key: "unanswered",
  label: "unanswered",
  unit: "%",
  digits: 2,
  better: "lower",
};

/** The reason why a relay cannot take part; undefined when it can. */
export function withoutPerSource(relay: Relay): string | undefined {
  return relay.perSource === undefined ? "it has no per-source mode" : undefined;
}

/** Starts a relay in per-source mode. The UDP address of the client is the one it listens on. */
export async function startPerSource(relay: Relay, { choosePlace }: Context): Promise<TunnelPair> {
  const place = { ...(await choosePlace()), clientApp: "127.0.0.1" };
  return await TunnelPair.start({ ...relay, dialsAtStart: false }, place, undefined, relay.perSource);
}

/** The figures of the answers to `sent` datagrams. */
export function tripsOf(answers: TallyReport | undefined, sent: number): Outcome {
  const at = (percent: (typeof PERCENTILES)[number]) =>
    answers?.latencyUs[PERCENTILES.indexOf(percent)] ?? Number.NaN;
  return {
    values: {
      tripP50Us: at(50),
      tripP99Us: at(99),
      unanswered: 100 * (1 - (answers?.received ?? 0) / sent),
    },
  };
}
