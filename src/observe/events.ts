/** The events of a tunnel: changes of state and warnings, never single datagrams. */

import type { Endpoint } from "../net/endpoint.ts";
import type { SystemReport } from "../net/network.ts";
import type { AuthFailureReason } from "./counters.ts";

/** Why a connection ended. */
export type DisconnectReason =
  | "closed by peer" // it sent FIN
  | "stalled" // it read nothing for as long as a dead one would be given
  | "connection lost" // reset, or an error of the operating system: see `code`
  | "replaced" // the same peer connected anew
  | "idle" // a session without traffic for the idle timeout
  | "evicted" // the session idle longest, ended to make room for another
  | "pair lost" // RTP mode: the other connection of the pair ended
  | "pair incomplete" // RTP mode: its other half did not come
  | "closing"; // this tunnel is being closed

/** Why another address of the target's name is used. */
export type TargetSwitchReason =
  | "refused" // by ICMP or the kernel: no program listens there, or no route leads there
  | "no answer" // nothing has ever come from there, though datagrams went out
  | "no socket"; // no socket to it can be opened: see the host's addresses and routes

/** Why an incoming connection was rejected. */
export type RejectReason =
  | "peer already connected"
  | "replacement limit"
  | "session limit"
  | "address limit"
  | "address not allowed"
  | "fd limit" // too few of the process's descriptors are left (ulimit -n)
  | AuthFailureReason
  | "closing";

/**
 * Everything that is told, by `type`. `listening` comes first; `socket settings` says what the system gives beyond plain sockets,
 * and comes again when that changes.
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
  /** Per-source mode: the target's host answered from another port, or another host sent to a session's port. */
  | { type: "unexpected answer"; reason: "wrong port" | "wrong source"; target: Endpoint; source: Endpoint }
  /** The kernel refuses to send. `lost`: datagrams lost since it began. */
  | { type: "sending failed"; target: Endpoint; code: string; lost: number }
  | { type: "sending recovered"; target: Endpoint; lost: number }
  /** The interface of a multicast group or of a link-local target has been removed. */
  | { type: "interface lost"; interface: string }
  /** The interface is back, or the system has chosen another: the tunnel receives and sends there. */
  | { type: "interface restored"; interface: string }
  | { type: "unauthenticated listener"; tcp: readonly Endpoint[] }
  /** The target's name has other addresses than before; `using` is where datagrams go now. */
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
 * How much an event matters: warnings concern whoever runs the tunnel, the rest whoever watches it; `debug` is the same
 * again within a minute.
 */
export type EventLevel = "warning" | "info" | "debug";

/**
 * Told of each event. What it throws is raised as an uncaught exception and does not disturb the tunnel.
 *
 * @param repeats how many events of this type were `debug`, or not told at all, since one was last told.
 */
export type EventListener = (event: TunnelEvent, level: EventLevel, repeats: number) => void;

/** The `code` of a failed dial whose connection came up, and ended before the server sent anything. */
export const PEER_CLOSED = "PEER_CLOSED";
