/** What a tunnel tells of itself: changes of state and warnings, never single datagrams. */

import type { Endpoint } from "../net/endpoint.ts";

/** Why a connection ended. */
export type DisconnectReason =
  | "closed by peer" // it sent FIN
  | "connection lost" // reset, or an error of the operating system: see `code`
  | "replaced" // the same peer connected anew
  | "pair lost" // RTP mode: the other connection of the pair ended
  | "half a pair" // RTP mode: its other half did not come
  | "closing"; // this tunnel is being closed

/** Why an incoming connection was turned away. */
export type RefusalReason =
  | "another peer is being served"
  | "too many replacements"
  | "address not allowed"
  | "closing";

export type TunnelEvent =
  | { type: "listening"; tcp: readonly Endpoint[]; udp: readonly Endpoint[] }
  | { type: "connected"; local: Endpoint; remote: Endpoint }
  | { type: "disconnected"; remote: Endpoint; reason: DisconnectReason; code?: string | undefined }
  | { type: "dial failed"; to: string; code: string; message: string; retryInMs: number }
  | { type: "connection refused"; remote: Endpoint; reason: RefusalReason }
  | { type: "own echo"; source: Endpoint }
  | { type: "wrong source"; source: Endpoint; expected: readonly string[] }
  | { type: "target refuses"; target: Endpoint; refusals: number }
  | { type: "open to all"; tcp: readonly Endpoint[] }
  | { type: "clients compete"; address: string }
  | { type: "name lookup failed"; name: string; code: string; kept: readonly string[] };

/** How much an event matters: errors and warnings concern whoever runs the tunnel, the rest whoever watches it. */
export type EventLevel = "warning" | "info";

/** Events of single datagrams: told the first time only, then counted. */
const ONCE = new Set<TunnelEvent["type"]>(["own echo", "wrong source", "target refuses"]);
/** Events that are always news. */
const WARNINGS = new Set<TunnelEvent["type"]>(["clients compete", "name lookup failed", "open to all"]);

/** Passes events on to whoever listens, and marks which are news. */
export class EventSource {
  readonly #listener: ((event: TunnelEvent, level: EventLevel) => void) | undefined;
  readonly #told = new Set<TunnelEvent["type"]>();

  constructor(listener: ((event: TunnelEvent, level: EventLevel) => void) | undefined) {
    this.#listener = listener;
  }

  /** Reports an event. Failed dials after the first go out as `info`; of single datagrams only the first is reported. */
  report(event: TunnelEvent): void {
    const { type } = event;
    const again = this.#told.has(type);
    this.#told.add(type);
    if (again && ONCE.has(type)) return;
    const isWarning = WARNINGS.has(type) || ONCE.has(type) || (type === "dial failed" && !again);
    this.#listener?.(event, isWarning ? "warning" : "info");
  }

  /** Makes the next event of this kind news again. */
  forget(type: TunnelEvent["type"]): void {
    this.#told.delete(type);
  }
}
