/** What a tunnel tells of itself: changes of state and warnings, never single datagrams. */

import { type Endpoint, isLoopback } from "../net/endpoint.ts";
import type { SystemReport } from "../net/network.ts";
import { isTlsCode } from "../net/tls/tls-failure.ts";
import type { AuthFailureReason } from "./counters.ts";
import { invokeListener } from "./invoke-listener.ts";
import { LogThrottle } from "./log-throttle.ts";

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

type EventType = TunnelEvent["type"];

/** What single datagrams can cause, and a flood of them: told once a minute at most, even to those who watch. */
const OF_DATAGRAM = [
  "loop detected",
  "wrong source",
  "target refused",
  "unexpected answer",
  "sending failed",
  "session rejected",
] as const;
type OfDatagrams = (typeof OF_DATAGRAM)[number];
const OF_DATAGRAMS = new Set<EventType>(OF_DATAGRAM);
/** What lasts and is met again and again: `debug` but once a minute. */
const LASTING = new Set<EventType>([
  "dial failed",
  "connection rejected",
  "handshake failed",
  "wrong secret",
  "mode mismatch",
  "peer flapping",
  "address limit",
  "name lookup failed",
  "target switched",
]);
const WARNINGS = new Set<EventType>([
  ...OF_DATAGRAMS,
  "sending recovered",
  "interface lost",
  "interface restored",
  "wrong secret",
  "mode mismatch",
  "peer flapping",
  "address limit",
  "name lookup failed",
  "unauthenticated listener",
  "secret exposed",
  "fd limit",
  "local address unknown",
  "certificate warning",
  "certificate reload failed",
]);

/** The `code` of a failed dial whose connection came up, and ended before the server sent anything. */
export const PEER_CLOSED = "PEER_CLOSED";

/**
 * The kind of an event whose first occurrence is a warning, apart from others of its type: the code of a connection
 * that TLS ended, which is more often a mistake of ours than the network's; a limit of this host; a server that hangs
 * up, which may have refused before.
 */
function kindOf(event: TunnelEvent): string | undefined {
  if (event.type === "connection rejected" && event.reason === "fd limit") return event.reason;
  if (event.type === "dial failed" && event.code === PEER_CLOSED) return PEER_CLOSED;
  return "code" in event && isTlsCode(event.code) ? event.code : undefined;
}

/** Passes events on to whoever listens, and says how much each matters. */
export class EventSource {
  readonly #listeners: EventListener[] = [];
  readonly #throttle = new LogThrottle();
  readonly #now: () => number;

  /** @param now the time in milliseconds, on any clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  addListener(listener: EventListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Whether an event that a single datagram causes would be passed on now. Counts it among the repeats when not. Ask
   * before building the event: a flood then costs no memory.
   */
  isDue(type: OfDatagrams): boolean {
    return this.#throttle.isDue(type, this.#now());
  }

  /**
   * Reports an event.
   *
   * @param again it repeats an attempt that failed: only `debug`.
   */
  report(event: TunnelEvent, again = false): void {
    const { type } = event;
    const kind = kindOf(event);
    const recurs = OF_DATAGRAMS.has(type) || LASTING.has(type) || kind !== undefined;
    const level = this.#levelOf(type, kind);
    if (!recurs) return this.#notify(event, again ? "debug" : level, 0);
    const repeats = this.#throttle.take(kind ?? type, this.#now());
    if (repeats !== undefined) this.#notify(event, level, repeats);
    else if (!OF_DATAGRAMS.has(type)) this.#notify(event, LASTING.has(type) ? "debug" : "info", 0);
  }

  /** A failed dial, or an event with a kind of its own, is a warning the first time, and `info` when it goes on. */
  #levelOf(type: EventType, kind: string | undefined): EventLevel {
    if (type === "dial failed" || kind !== undefined)
      return this.#throttle.knows(kind ?? type) ? "info" : "warning";
    return WARNINGS.has(type) ? "warning" : "info";
  }

  #notify(event: TunnelEvent, level: EventLevel, repeats: number): void {
    for (const listener of this.#listeners) invokeListener(() => listener(event, level, repeats));
  }

  /** Reports what is listened on, and whether everyone may connect. @param guarded whether anything says who may. */
  onListening(tcp: readonly Endpoint[], udp: readonly Endpoint[], guarded: boolean): void {
    this.report({ type: "listening", tcp, udp });
    if (!guarded && tcp.some(({ address }) => !isLoopback(address)))
      this.report({ type: "unauthenticated listener", tcp });
  }

  /** Makes the next event of this kind news again. */
  forget(type: EventType): void {
    this.#throttle.forget(type);
    if (type === "dial failed") this.#throttle.forget(PEER_CLOSED);
  }
}
