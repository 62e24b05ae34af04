/** The interface of a running tunnel: what `startServer` and `startClient` return. */

import type { EventEmitter } from "node:events";
import type { Endpoint } from "../net/endpoint.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventLevel, TunnelEvent } from "../observe/events.ts";
import type { TunnelStats } from "../observe/stats.ts";

/** The events of a tunnel by type. A listener receives the event and its severity. */
export type TunnelEventMap = {
  [Type in TunnelEvent["type"]]: [event: Extract<TunnelEvent, { type: Type }>, level: EventLevel];
};

/**
 * A running tunnel. It emits every {@link TunnelEvent} under its type. The first events are emitted at the
 * end of the tick in which the caller receives the tunnel, so listeners attached at once receive every event.
 * If a listener throws, the error is raised as an uncaught exception and the tunnel continues. Leaving an
 * `await using` block closes it.
 */
export interface Tunnel extends AsyncDisposable, EventEmitter<TunnelEventMap> {
  /** The bound TCP addresses and ports; empty for a client. */
  readonly tcp: readonly Endpoint[];
  /** The bound UDP addresses and ports. */
  readonly udp: readonly Endpoint[];
  /** Live counters: read them, do not write to them. */
  readonly counters: Counters;
  /** Datagrams that are received but neither sent nor dropped yet. */
  readonly held: { outbound: number; inbound: number };
  /** Takes a snapshot. It queries the kernel about each socket; once a second is cheap enough. */
  stats(): TunnelStats;
  /**
   * Settles when the tunnel has ended: after `close`, or with the option `once` when its connection has
   * ended. Rejects with ERR_DIAL when a client with `once` cannot connect.
   */
  readonly closed: Promise<void>;
  /**
   * Reads the files of `cert`, `key`, `ca` and `clientCa` again, for new connections. Existing connections
   * stay. If a file cannot be used, the tunnel emits an event and keeps the old certificates. Without `tls`
   * it does nothing.
   */
  reloadCertificates(): void;
  /**
   * Stops receiving datagrams, writes queued ones for at most a second, and closes every socket. Never
   * rejects. Calling it again returns the same promise.
   */
  close(): Promise<void>;
}

/**
 * Called for every datagram with its source and payload length. For diagnosis only: it slows the tunnel down.
 */
export type Trace = (direction: "outbound" | "inbound", source: Endpoint, bytes: number) => void;
