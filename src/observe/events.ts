/** The events of a tunnel: changes of state and warnings, never single datagrams. */

import type { Endpoint } from "../net/endpoint.ts";
import type { SystemReport } from "../net/network.ts";
import type { AuthFailureReason } from "./counters.ts";

/** Why a connection ended. */
export type DisconnectReason =
  | "closed by peer" // it sent FIN
  | "stalled" // the peer is connected and took nothing for `deadAfterMs`
  | "connection lost" // a reset, or an error of the operating system in `code`
  | "replaced" // the same peer connected again
  | "idle" // the session had no traffic for the idle timeout
  | "evicted" // the session was idle the longest, and a new one needed its place
  | "pair lost" // RTP mode: the other connection of the pair ended
  | "pair incomplete" // RTP mode: the other connection of the pair was not made in time
  | "closing"; // this tunnel is being closed

/** Why another address of the target's name is used. */
export type TargetSwitchReason =
  | "refused" // ICMP or the kernel refused datagrams: no program listens there, or no route leads there
  | "no answer" // nothing has ever arrived from there, although datagrams were sent
  | "no socket"; // no socket to it can be opened: check the host's addresses and routes

/** Why an incoming connection was rejected. */
export type RejectReason =
  | "peer already connected" // peer mode: another peer is served
  | "replacement limit" // peer mode: the peer's address replaced its connection too often
  | "session limit" // all sessions are in use
  | "address limit" // all sessions of its address are in use
  | "address not allowed"
  | "fd limit" // the process has too few file descriptors left (ulimit -n)
  | AuthFailureReason
  | "closing";

/**
 * An event of a tunnel. `listening` is the first one. `socket settings` reports what the system grants beyond
 * plain sockets, and is emitted again when that changes.
 */
export type TunnelEvent =
  | { type: "listening"; tcp: readonly Endpoint[]; udp: readonly Endpoint[] }
  | { type: "connected"; local: Endpoint; remote: Endpoint }
  | { type: "disconnected"; remote: Endpoint; reason: DisconnectReason; code?: string | undefined }
  | ({ type: "socket settings" } & SystemReport)
  | { type: "dial failed"; to: string; code: string; message: string; retryInMs: number }
  | { type: "connection rejected"; remote: Endpoint; reason: RejectReason }
  | { type: "handshake failed"; remote: Endpoint; code: string; message: string }
  | { type: "session disconnected"; source: Endpoint; reason: DisconnectReason; code?: string | undefined }
  | { type: "session opened"; source: Endpoint; sessions: number }
  | {
      type: "session closed";
      source: Endpoint;
      reason: DisconnectReason;
      code?: string | undefined;
      sessions: number;
    }
  | { type: "session rejected"; source: Endpoint; sessions: number }
  | { type: "mode mismatch"; server: string }
  | { type: "fd limit"; sessions: number; wanted: number; limit: number }
  | { type: "local address unknown"; udp: Endpoint; addresses: readonly string[] }
  | { type: "loop detected"; source: Endpoint }
  | { type: "wrong source"; source: Endpoint; expected: readonly string[] }
  | { type: "target refused"; target: Endpoint; refusals: number }
  /**
   * Per-source mode: the target's host answered from another port, or another host sent to a session's port.
   */
  | { type: "unexpected answer"; reason: "wrong port" | "wrong source"; target: Endpoint; source: Endpoint }
  /** The kernel refuses to send. `lost` counts the datagrams lost since the first refusal. */
  | { type: "sending failed"; target: Endpoint; code: string; lost: number }
  | { type: "sending recovered"; target: Endpoint; lost: number }
  /** The interface of a multicast group or of a link-local target was removed. */
  | { type: "interface lost"; interface: string }
  /** The interface is back, or the system chose another one; the tunnel receives and sends on it. */
  | { type: "interface restored"; interface: string }
  | { type: "unauthenticated listener"; tcp: readonly Endpoint[] }
  /** The target's name has other addresses than before. Datagrams go to `using`. */
  | {
      type: "target address changed";
      name: string;
      addresses: readonly string[];
      before: readonly string[];
      using: string;
    }
  | { type: "target switched"; from: Endpoint; to: Endpoint; reason: TargetSwitchReason }
  | { type: "address skipped"; address: string; code: string; message: string }
  | { type: "wrong secret"; remote: Endpoint }
  | { type: "secret exposed"; file: string; mode: number }
  | { type: "certificate warning"; message: string }
  | { type: "certificates reloaded" }
  | { type: "certificate reload failed"; message: string }
  | { type: "peer flapping"; address: string }
  | { type: "address limit"; address: string; sessions: number }
  | { type: "name lookup failed"; name: string; code: string; kept: readonly string[] };

/**
 * How important an event is. A `warning` needs attention; `info` is a change of state; `debug` repeats an
 * event within a minute.
 */
export type EventLevel = "warning" | "info" | "debug";

/**
 * Receives each event. An exception of the listener is raised as an uncaught one and does not disturb the
 * tunnel.
 *
 * @param repeats how many events of this kind had the level `debug` or were suppressed since the last one at
 *   a higher level.
 */
export type EventListener = (event: TunnelEvent, level: EventLevel, repeats: number) => void;

/**
 * The `code` of a failed dial whose connection was established, and ended before the server sent anything.
 */
export const PEER_CLOSED = "PEER_CLOSED";
