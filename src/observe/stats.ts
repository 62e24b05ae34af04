/** Snapshots of a tunnel as plain objects. `stats()`, the metrics and the status are made from them. */

import type { Endpoint } from "../net/endpoint.ts";
import type { TlsCode } from "../net/tls/tls-failure.ts";
import type { AuthFailureReason, Counters, DirectionCounters, DropReason } from "./counters.ts";
import { DELAY_BOUNDS_MS } from "./delay-histogram.ts";

/** The state of a tunnel. */
export type TunnelState =
  | "listening" // it waits for connections or for UDP sources
  | "connecting" // it is a client without a connection
  | "connected" // a stream is up; in RTP mode, both streams are
  | "closing"
  | "closed";

/** An open TCP connection. Values that the kernel does not report are missing; only Linux reports them. */
export interface StreamStats {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The current round trip time. */
  readonly rttMs?: number;
  /** The minimum round trip time of the last minutes. */
  readonly minRttMs?: number;
  /** Segments retransmitted since this connection was established. */
  readonly retransmits?: number;
  /** Bytes in flight: sent, not acknowledged and not known to be lost. */
  readonly inFlightBytes?: number;
  /** Bytes that the kernel has taken and has not sent even once. */
  readonly unsentBytes?: number;
}

/** Values of this moment, which no counter holds. Reading them costs a system call for each open socket. */
export interface Gauges {
  readonly state: TunnelState;
  /** Since the tunnel was started. */
  readonly uptimeMs: number;
  /** Open sessions of per-source mode; 0 in peer mode. */
  readonly sessions: number;
  /** Bytes in the queue for TCP, headers included. */
  readonly queueBytes: number;
  /**
   * Bytes received from TCP that wait for a time slice or for the UDP socket. `inbound.held` counts their
   * whole datagrams.
   */
  readonly undeliveredBytes: number;
  /**
   * Datagrams that the kernel dropped at the open UDP sockets; undefined when the system does not report
   * them.
   */
  readonly kernelDrops: number | undefined;
  /**
   * The errno name while the kernel refuses datagrams to the only target. Undefined when the kernel takes
   * them, when it has refused none for a minute, and for a client in per-source mode, which has many targets.
   */
  readonly sendFailure: string | undefined;
  readonly streams: readonly StreamStats[];
}

/** An object with statistics. */
export interface Observable {
  stats(): TunnelStats;
}

/** Returns the running tunnels by name. */
export type Tunnels = () => ReadonlyMap<string, Observable>;

/** One direction. Bytes are counted as in {@link DirectionCounters}. */
export interface DirectionStats {
  readonly received: number;
  readonly receivedBytes: number;
  readonly sent: number;
  readonly sentBytes: number;
  /** Dropped datagrams, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Datagrams received and neither sent nor dropped yet. */
  readonly held: number;
}

/** A histogram of the time that frames waited for TCP. */
export interface DelayStats {
  /** Upper bounds of the buckets. A last bucket has no upper bound. */
  readonly boundsMs: readonly number[];
  /** The number of frames in each bucket, not cumulative. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** A snapshot of a tunnel. Counters begin at the start of the tunnel. JSON can represent the whole object. */
export interface TunnelStats extends Gauges {
  /** From UDP to TCP. */
  readonly outbound: DirectionStats;
  /** From TCP to UDP. */
  readonly inbound: DirectionStats;
  readonly delay: DelayStats;
  /** Writes to TCP. Frames per write: `outbound.sent / writes`. */
  readonly writes: number;
  /** System calls that sent to UDP. Datagrams per call: `inbound.sent / sends`. */
  readonly sends: number;
  /** TCP connections established. */
  readonly connects: number;
  /** Incoming TCP connections that were rejected. */
  readonly rejectedConnections: number;
  /** Rejected connections that did not authenticate with the secret, by reason. */
  readonly authFailures: Readonly<Record<AuthFailureReason, number>>;
  /** Rejected connections whose TLS handshake failed, by code. */
  readonly failedHandshakes: Readonly<Record<TlsCode, number>>;
  /** ICMP refusals: no program listens at the target. */
  readonly refusals: number;
  /** Other errors of UDP sockets. */
  readonly socketErrors: number;
  /**
   * Datagrams that the kernel dropped before udptunnel received them: the socket's buffer was full, or the
   * socket had used its share of a time slice. They are not in `received`. Closed sockets are included.
   * Undefined when the system does not report them.
   */
  readonly kernelDrops: number | undefined;
  /** TCP segments retransmitted, closed streams included. */
  readonly retransmits: number;
}

/** Makes a snapshot. It does not change when the counters do. */
export function statsOf(
  counters: Counters,
  held: { outbound: number; inbound: number },
  gauges: Gauges,
): TunnelStats {
  const { writes, sends, connects, rejectedConnections, refusals, socketErrors, delay } = counters;
  const { kernelDrops, streams } = gauges;
  return {
    ...gauges,
    outbound: directionStats(counters.outbound, held.outbound),
    inbound: directionStats(counters.inbound, held.inbound),
    delay: { boundsMs: DELAY_BOUNDS_MS, counts: [...delay.counts], sumMs: delay.sumMs },
    writes,
    sends,
    connects,
    rejectedConnections,
    authFailures: { ...counters.authFailures },
    failedHandshakes: { ...counters.failedHandshakes },
    refusals,
    socketErrors,
    kernelDrops: sum(kernelDrops, counters.kernelDrops || undefined),
    retransmits: streams.reduce((all, stream) => all + (stream.retransmits ?? 0), counters.retransmits),
  };
}

/** The sum of the known numbers; undefined when none is known. */
export function sum(...numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 ? undefined : known.reduce((all, number) => all + number, 0);
}

/** A snapshot of one direction. */
export function directionStats(counters: DirectionCounters, held: number): DirectionStats {
  const { received, receivedBytes, sent, sentBytes, dropped } = counters;
  return { received, receivedBytes, sent, sentBytes, held, dropped: { ...dropped } };
}

/** Whether a tunnel is connected or listening, and can send to its target. */
export function isHealthy({ state, sendFailure }: Pick<TunnelStats, "state" | "sendFailure">): boolean {
  return (state === "connected" || state === "listening") && sendFailure === undefined;
}
