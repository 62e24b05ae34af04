/**
 * What both ends of per-source mode share. A session has one link: at the client for one UDP source, at the
 * server for one TCP connection.
 */

import { Link } from "../../link/link.ts";
import type { LinkHooks } from "../../link/link-options.ts";
import type { MemoryBudget } from "../../link/memory-budget.ts";
import type { DrainingStreams } from "../../net/close-stream.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Network } from "../../net/network.ts";
import type { StreamTransport } from "../../net/stream-transport.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import type { Settings } from "../../options/settings.ts";
import type { Connection, ConnectionTable } from "../access/connection-table.ts";
import type { Trace } from "../tunnel.ts";

/** Shared by all sessions of a tunnel. */
export interface SessionContext {
  readonly network: Network;
  readonly transport: StreamTransport;
  readonly settings: Settings;
  readonly counters: Counters;
  readonly events: EventReporter;
  readonly trace: Trace | undefined;
  readonly budget: MemoryBudget;
  readonly draining: DrainingStreams;
}

export function sessionLink(context: SessionContext, hooks: LinkHooks): Link {
  const { settings, network, counters, budget } = context;
  return new Link({ use: "session", clock: network.clock, counters, settings, budget, ...hooks });
}

export interface Session extends Connection {
  readonly link: Link;
  /** Whether queued datagrams are being written to a stream. */
  readonly writing: boolean;
}

/** All sessions of one end, and their listening sockets. */
export interface SessionManager {
  readonly sessions: ConnectionTable<Session>;
  /** The TCP ports listened on. */
  readonly listening: readonly Endpoint[];
  /** The UDP ports listened on. */
  readonly udp: readonly Endpoint[];
  /** Settles when the UDP sockets are ready. Never rejects. */
  readonly ready: Promise<unknown>;
  /** False at a client whose server did not answer the last dial. */
  readonly serves: boolean;
  /** Datagrams that the kernel dropped at the current UDP sockets; undefined when unknown. */
  kernelDrops(): number | undefined;
  /** See `TunnelStats`. */
  sendFailure(): string | undefined;
  /** Ends a session and closes its stream gracefully. */
  end(session: Session, reason: DisconnectReason): void;
  /** Opens no further sessions. */
  stop(): void;
  /** Releases what the sessions shared. */
  close(): void;
}
