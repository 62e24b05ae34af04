/** A quiet session's round trips: alone, beside a neighbour that floods, and beside one whose peer does not read. */

import { alive, basics, runLoad, startGenerator } from "../load.ts";
import type { Round, Scenario } from "../scenario.ts";
import { StalledPeer } from "../stalled-peer.ts";
import type { TunnelPair } from "../tunnel-pair.ts";
import { startPerSource, TRIP_P50, TRIP_P99, tripsOf, UNANSWERED, withoutPerSource } from "./per-source.ts";

const QUIET_RATE = 200;

export const neighbours: Scenario = {
  name: "neighbours",
  title: "Fairness: a quiet session's round trips beside a flooding and a stalled neighbour",
  columns: [TRIP_P50, TRIP_P99, UNANSWERED],
  rounds: (plan) => {
    const size = plan.sizes[0] as number;
    const flooding = (pair: TunnelPair): AsyncDisposable => {
      const generator = startGenerator(pair.place, {
        ...basics(plan),
        rate: plan.floodRate(size) / 4,
        seconds: plan.seconds + plan.warmUpSeconds + 1,
      });
      return { [Symbol.asyncDispose]: () => generator.stop() };
    };
    const round = (
      detail: string,
      open: (pair: TunnelPair) => AsyncDisposable | Promise<AsyncDisposable>,
    ): Round => ({
      size,
      rate: QUIET_RATE,
      detail,
      leftOut: withoutPerSource,
      run: async (relay, context) => {
        const pair = await startPerSource(relay, context);
        try {
          await using _neighbour = await open(pair);
          const load = { ...basics(plan), rate: QUIET_RATE, roundTrips: true };
          const { generator, sent, notes } = await alive(pair, runLoad(pair, load));
          return { ...tripsOf(generator.answers, sent), notes };
        } finally {
          await pair.stop();
        }
      },
    });
    return [
      round("alone", () => ({ [Symbol.asyncDispose]: async () => {} })),
      round("beside a flooding one", flooding),
      round("beside a stalled one", ({ place }) => StalledPeer.connect(place.serverHost, place.tcpPort)),
    ];
  },
};
