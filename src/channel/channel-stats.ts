/** What a channel has done so far, as numbers that stand still. */

import type { Counters, DirectionCounters, DropReason } from "../observe/counters.ts";

/** One direction. At any moment, received = sent + dropped, all reasons together, + held. */
export interface DirectionStats {
  readonly received: number;
  readonly receivedBytes: number;
  readonly sent: number;
  readonly sentBytes: number;
  /** Datagrams received and neither sent nor dropped yet. */
  readonly held: number;
  /** Datagrams lost, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
}

/** A snapshot: plain data, the caller's to keep, that JSON can carry. */
export interface ChannelStats {
  /** From UDP, or from `send`, into TCP. */
  readonly outbound: DirectionStats;
  /** From TCP to UDP, or to whoever receives. */
  readonly inbound: DirectionStats;
  /** TCP connections that came up, and incoming ones that were turned away. */
  readonly connects: number;
  readonly refusedConnections: number;
  /** ICMP refusals: nobody listened where a datagram was sent. */
  readonly refusals: number;
}

export function snapshot(counters: Counters, held: { outbound: number; inbound: number }): ChannelStats {
  const { connects, refusedConnections, refusals } = counters;
  return {
    outbound: directionStats(counters.outbound, held.outbound),
    inbound: directionStats(counters.inbound, held.inbound),
    connects,
    refusedConnections,
    refusals,
  };
}

function directionStats(counters: DirectionCounters, held: number): DirectionStats {
  const { received, receivedBytes, sent, sentBytes, dropped } = counters;
  return { received, receivedBytes, sent, sentBytes, held, dropped: { ...dropped } };
}
