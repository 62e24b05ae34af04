/** What a channel has done so far, as numbers that stand still. */

import type { Counters } from "../observe/counters.ts";
import { type DirectionStats, directionStats } from "../observe/stats.ts";

/** A snapshot: plain data, the caller's to keep, that JSON can carry. */
export interface ChannelStats {
  /** From UDP, or from `send`, into TCP. */
  readonly outbound: DirectionStats;
  /** From TCP to UDP, or to whoever receives. */
  readonly inbound: DirectionStats;
  /** TCP connections that came up, and incoming ones that were rejected. */
  readonly connects: number;
  readonly rejectedConnections: number;
  /** ICMP refusals: nobody listened where a datagram was sent. */
  readonly refusals: number;
}

export function snapshot(counters: Counters, held: { outbound: number; inbound: number }): ChannelStats {
  const { connects, rejectedConnections, refusals } = counters;
  return {
    outbound: directionStats(counters.outbound, held.outbound),
    inbound: directionStats(counters.inbound, held.inbound),
    connects,
    rejectedConnections,
    refusals,
  };
}
