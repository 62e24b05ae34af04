/** A tunnel at one moment, as a plain object: what `stats()`, the metrics and the live status are made of. */

import type { Endpoint } from "../net/endpoint.ts";
import type { TlsCode } from "../net/tls/tls-failure.ts";
import type { AuthFailureReason, Counters, DirectionCounters, DropReason } from "./counters.ts";
import { DELAY_BOUNDS_MS } from "./delay-histogram.ts";

/** What a tunnel is doing now. */
export type TunnelState =
  | "listening" // it waits for others, and serves whoever comes
  | "connecting" // a client without a connection
  | "connected" // a stream is up; in RTP mode, both are
  | "closing"
  | "closed";

/** One TCP connection that is up. What the kernel does not say is missing (other systems than Linux say nothing). */
export interface StreamStats {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The round trip time now. */
  readonly rttMs?: number;
  /** The least round trip time of the last minutes. */
  readonly minRttMs?: number;
  /** Segments sent again since this connection began. */
  readonly retransmits?: number;
  /** Bytes under way: sent, not delivered and not known to be lost. */
  readonly inFlightBytes?: number;
  /** Bytes the kernel has taken and not sent even once. */
  readonly unsentBytes?: number;
}

/** What a tunnel can only be asked for, as nothing counts it. Costs a system call for each socket that is open. */
export interface Gauges {
  readonly state: TunnelState;
  /** Since the tunnel was started. */
  readonly uptimeMs: number;
  /** Sessions there are now; 0 but in per-source mode. */
  readonly sessions: number;
  /** What waits for TCP, headers included. */
  readonly queueBytes: number;
  /** Bytes of TCP chunks whose rest waits for the time slice or for UDP. */
  readonly undeliveredBytes: number;
  /** Of the UDP sockets there are now; undefined when the system does not say. */
  readonly kernelDrops: number | undefined;
  /** See {@link TunnelStats}. */
  readonly sendFailure: string | undefined;
  readonly streams: readonly StreamStats[];
}

/** Whatever has stats. */
export interface Observable {
  stats(): TunnelStats;
}

/** The tunnels there are now, by name. */
export type Tunnels = () => ReadonlyMap<string, Observable>;

/** One direction: datagrams, and bytes as {@link DirectionCounters} counts them. */
export interface DirectionStats {
  readonly received: number;
  readonly receivedBytes: number;
  readonly sent: number;
  readonly sentBytes: number;
  /** Datagrams lost, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Received, and neither sent nor dropped yet. */
  readonly held: number;
}

/** How long frames waited for TCP. */
export interface DelayStats {
  /** Upper bounds of the buckets; one more bucket is open. */
  readonly boundsMs: readonly number[];
  /** Frames in each bucket, not added up. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** Everything a tunnel knows of itself; counters run from its start. JSON can hold it. */
export interface TunnelStats {
  readonly state: TunnelState;
  readonly uptimeMs: number;
  /** From UDP into TCP. */
  readonly outbound: DirectionStats;
  /** From TCP to UDP. */
  readonly inbound: DirectionStats;
  readonly delay: DelayStats;
  /** What waits for TCP, headers included. */
  readonly queueBytes: number;
  /** Bytes of TCP chunks whose rest waits for the time slice or for UDP. `inbound.held` counts its whole datagrams. */
  readonly undeliveredBytes: number;
  /** Writes to TCP: frames per write is `outbound.sent / writes`. */
  readonly writes: number;
  /** System calls that sent to UDP: datagrams per send is `inbound.sent / sends`. */
  readonly sends: number;
  /** Sessions there are now; 0 but in per-source mode. */
  readonly sessions: number;
  /** TCP connections that came up. */
  readonly connects: number;
  /** Incoming TCP connections that were rejected. */
  readonly rejectedConnections: number;
  /** Those of them that did not prove that they know the secret, by reason. */
  readonly authFailures: Readonly<Record<AuthFailureReason, number>>;
  /** Those of them whose TLS handshake failed, by code. */
  readonly failedHandshakes: Readonly<Record<TlsCode, number>>;
  /** ICMP refusals: nobody listened where a datagram was sent. */
  readonly refusals: number;
  /** Other errors that UDP sockets reported. */
  readonly socketErrors: number;
  /**
   * The errno name while the kernel refuses datagrams to the only target. Undefined when it takes them, when it has
   * refused none for a minute, and for a client in per-source mode, which has many targets.
   */
  readonly sendFailure: string | undefined;
  /**
   * Datagrams the kernel dropped before we received them: its buffer was full, or one socket had had its share of a
   * turn. They are not in `received`. Undefined when the system does not say.
   */
  readonly kernelDrops: number | undefined;
  /** Segments TCP sent again, streams that are gone included. */
  readonly retransmits: number;
  readonly streams: readonly StreamStats[];
}

/** Puts a snapshot together; what it returns does not change any more. */
export function statsOf(
  counters: Counters,
  held: { outbound: number; inbound: number },
  gauges: Gauges,
): TunnelStats {
  const { state, uptimeMs, sessions, queueBytes, undeliveredBytes, kernelDrops, sendFailure, streams } =
    gauges;
  const { writes, sends, connects, rejectedConnections, refusals, socketErrors, delay } = counters;
  return {
    state,
    uptimeMs,
    outbound: directionStats(counters.outbound, held.outbound),
    inbound: directionStats(counters.inbound, held.inbound),
    delay: { boundsMs: DELAY_BOUNDS_MS, counts: [...delay.counts], sumMs: delay.sumMs },
    queueBytes,
    undeliveredBytes,
    writes,
    sends,
    sessions,
    connects,
    rejectedConnections,
    authFailures: { ...counters.authFailures },
    failedHandshakes: { ...counters.failedHandshakes },
    refusals,
    socketErrors,
    sendFailure,
    kernelDrops: sum(kernelDrops, counters.kernelDrops || undefined),
    retransmits: streams.reduce((all, stream) => all + (stream.retransmits ?? 0), counters.retransmits),
    streams,
  };
}

/** The sum of what is known; undefined when nothing is. */
export function sum(...numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 ? undefined : known.reduce((all, number) => all + number, 0);
}

/** One direction at this moment. */
export function directionStats(counters: DirectionCounters, held: number): DirectionStats {
  const { received, receivedBytes, sent, sentBytes, dropped } = counters;
  return { received, receivedBytes, sent, sentBytes, held, dropped: { ...dropped } };
}

/** Whether a tunnel works: it is connected or listening, and can send to its target. */
export function isHealthy({ state, sendFailure }: Pick<TunnelStats, "state" | "sendFailure">): boolean {
  return (state === "connected" || state === "listening") && sendFailure === undefined;
}
