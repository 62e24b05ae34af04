/** A running tunnel, as whoever started it sees it. */

import type { EventEmitter } from "node:events";
import type { Endpoint } from "../net/endpoint.ts";
import type { Counters } from "../observe/counters.ts";
import type { TunnelStats } from "../observe/stats.ts";
import type { TunnelEventMap } from "./tunnel-emitter.ts";

/**
 * Emits every {@link TunnelEvent} under its type, the first of them at the end of the turn in which it was handed out, so
 * that listeners attached at once hear everything. What a listener throws is raised as an uncaught exception; the tunnel
 * goes on. Leaving an `await using` block closes it.
 */
export interface Tunnel extends AsyncDisposable, EventEmitter<TunnelEventMap> {
  /** The TCP ports listened on, as really bound; none for a client. */
  readonly tcp: readonly Endpoint[];
  /** The UDP ports, as really bound. */
  readonly udp: readonly Endpoint[];
  /** Live counters: read, do not write. */
  readonly counters: Counters;
  /** Datagrams received and neither sent nor dropped yet. */
  readonly held: { outbound: number; inbound: number };
  /** A snapshot, cheap enough to be taken once a second: it asks the kernel about each socket. */
  stats(): TunnelStats;
  /** Settles when the tunnel is over: at `close`, or with `once` when its connection has ended. Rejects with ERR_DIAL. */
  readonly closed: Promise<void>;
  /**
   * Reads the files of `cert`, `key`, `ca` and `clientCa` again, for connections from now on; those that are up stay. What cannot
   * be used is told as an event, and changes nothing. Without `tls` it does nothing.
   */
  reloadCertificates(): void;
  /**
   * Stops taking datagrams in, writes what is queued for at most a second, and lets go of every socket. Never rejects;
   * calling it again returns the same promise.
   */
  close(): Promise<void>;
}

/** Told of every datagram: where it came from and its payload's length. For diagnosis: it costs time. */
export type Trace = (direction: "outbound" | "inbound", source: Endpoint, bytes: number) => void;
