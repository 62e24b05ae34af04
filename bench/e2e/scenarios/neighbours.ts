/**
 * Round trips of a quiet session: alone, and next to sessions whose targets flood them, to one whose peer
 * does not read, and to peers that flood the server with frames of 8 bytes.
 */

import { alive, basics, runLoad } from "../load.ts";
import { floodedSessions, floodingPeers, StalledPeer } from "../neighbour-loads.ts";
import type { Relay } from "../relays.ts";
import type { Round, Scenario } from "../scenario.ts";
import type { TunnelPair } from "../tunnel-pair.ts";
import { startPerSource, TRIP_P50, TRIP_P99, tripsOf, UNANSWERED, withoutPerSource } from "./per-source.ts";

const QUIET_RATE = 200;

/** The flooding peers do not support TLS. */
function withPlainTcp(relay: Relay): string | undefined {
  return relay.name.includes("--tls") ? "its peers would need TLS" : withoutPerSource(relay);
}

export const neighbours: Scenario = {
  name: "neighbours",
  title: "Fairness: round trips of a quiet session next to flooding and stalled ones, in the first seconds",
  columns: [TRIP_P50, TRIP_P99, UNANSWERED],
  rounds: (plan) => {
    const size = plan.sizes[0] as number;
    const flood = {
      ...basics(plan),
      rate: plan.floodRate(size) / 4,
      seconds: plan.seconds + plan.warmUpSeconds + 1,
    };
    const round = (
      detail: string,
      open: (pair: TunnelPair) => AsyncDisposable | Promise<AsyncDisposable>,
      leftOut: Round["leftOut"] = withoutPerSource,
    ): Round => ({
      size,
      rate: QUIET_RATE,
      detail,
      leftOut,
      run: async (relay, context) => {
        const pair = await startPerSource(relay, context);
        try {
          await using _neighbour = await open(pair);
          const load = { ...basics(plan), rate: QUIET_RATE, roundTrips: true, ignoreShort: true };
          const { generator, sent, notes } = await alive(pair, runLoad(pair, load));
          return { ...tripsOf(generator.answers, sent), notes };
        } finally {
          await pair.stop();
        }
      },
    });
    return [
      round("alone", () => ({ [Symbol.asyncDispose]: async () => {} })),
      ...plan.floodingSessions.map((count) =>
        round(`beside ${count === 1 ? "a flooding session" : `${count} flooding sessions`}`, ({ place }) =>
          floodedSessions(place, count, flood),
        ),
      ),
      round("beside a stalled peer", ({ place }) => StalledPeer.connect(place.serverHost, place.tcpPort)),
      ...plan.floodingPeers.map((peers) =>
        round(`beside ${peers} flooding peers`, ({ place }) => floodingPeers(place, peers), withPlainTcp),
      ),
    ];
  },
};
