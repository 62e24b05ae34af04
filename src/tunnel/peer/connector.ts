/** Gives a peer-mode tunnel its streams. `PeerClient` dials the server, `PeerServer` accepts clients. */

import type { Link } from "../../link/link.ts";
import type { DrainingStreams } from "../../net/close-stream.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Network } from "../../net/network.ts";
import type { StreamTransport } from "../../net/stream-transport.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import type { StreamGroup } from "./stream-group.ts";

export interface Connector {
  /** The TCP ports listened on, if any. */
  readonly listening: readonly Endpoint[];
  /** The streams of the current peer, if there is one. */
  readonly group: StreamGroup | undefined;
  /** A datagram waits for a stream. */
  onDemand(): void;
  /** Neither dials nor accepts any longer. The current group stays. */
  stop(): void;
}

/** What the tunnel gives its connector. */
export interface ConnectorContext {
  readonly network: Network;
  readonly transport: StreamTransport;
  readonly events: EventReporter;
  /** One link, or two in RTP mode. The stream of each has its own TCP port; the ports are consecutive. */
  readonly links: readonly Link[];
  /** Where a group that ends puts its streams. */
  readonly draining: DrainingStreams;
  /** Whether the tunnel ends when the first connection ends or cannot be made. */
  readonly endsWithStream: boolean;
  /** Whether `transport` delivers connections of authenticated clients only. */
  readonly authenticates: boolean;
  /** Every link has its stream. */
  onConnected(): void;
  /** Ends the tunnel. @param error the failure; undefined when the tunnel ends as it should. */
  endTunnel(error?: Error): void;
}
