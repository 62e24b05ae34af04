/** Where a peer-mode tunnel's streams come from: a client dials them, a server accepts them. */

import type { Endpoint } from "../../net/endpoint.ts";
import type { Network } from "../../net/network.ts";
import type { EventSource } from "../../observe/events.ts";
import type { StreamGroup, StreamGroupEvents } from "./stream-group.ts";

export interface Connector {
  /** The TCP ports listened on, if any. */
  readonly listening: readonly Endpoint[];
  /** The peer being served now, if any. */
  readonly group: StreamGroup | undefined;
  /** A datagram has arrived while there is no stream. */
  onDemand(): void;
  /** Brings no further streams. */
  stop(): void;
}

/** What a supply is given by its tunnel. */
export interface ConnectorContext {
  readonly network: Network;
  readonly events: EventSource;
  /** How many streams make one peer: 1, or 2 in RTP mode, on consecutive ports. */
  readonly streams: number;
  /** Ends the tunnel when its only group ends, or cannot be made. */
  readonly endsWithStream: boolean;
  /** Whether only connections of authenticated clients are handed out. */
  readonly authenticates: boolean;
  openGroup(events: StreamGroupEvents): StreamGroup;
  /** The tunnel is over. @param error why it failed; undefined when it ended as it should. */
  onOver(error?: Error): void;
}
