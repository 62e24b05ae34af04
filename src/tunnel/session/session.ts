/** A session of per-source mode: one link, for one UDP source at the client and one TCP connection at the server. */

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

/** What the sessions of one tunnel share. */
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

/** A session, as the tunnel that holds it sees it. */
export interface Session extends Connection {
  readonly link: Link;
  /** Whether datagrams wait that a stream is taking. */
  readonly writing: boolean;
}

/** One end's way of having sessions. */
export interface SessionManager {
  readonly sessions: ConnectionTable<Session>;
  /** The TCP ports listened on. */
  readonly listening: readonly Endpoint[];
  /** The UDP ports listened on. */
  readonly udp: readonly Endpoint[];
  /** Settles when its sockets are ready; never rejects. */
  readonly ready: Promise<unknown>;
  /** Whether whoever comes is served, as far as is known. */
  readonly serves: boolean;
  /** Datagrams the kernel dropped at the UDP sockets there are now; undefined when it does not say. */
  kernelDrops(): number | undefined;
  /** See `TunnelStats`. */
  sendFailure(): string | undefined;
  /** Ends a session; its stream, if it has one, takes its leave. */
  end(session: Session, reason: DisconnectReason): void;
  /** Has no new sessions. */
  stop(): void;
  /** Lets go of the port. */
  close(): void;
}
