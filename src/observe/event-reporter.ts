/** Passes events to listeners, each with its level. Events that recur are throttled to one a minute. */

import { type Endpoint, isLoopback } from "../net/endpoint.ts";
import { isTlsCode } from "../net/tls/tls-failure.ts";
import { type EventLevel, type EventListener, PEER_CLOSED, type TunnelEvent } from "./events.ts";
import { invokeListener } from "./invoke-listener.ts";

type EventType = TunnelEvent["type"];

/**
 * The level of each type of event, and what happens to an event that repeats within a minute:
 *
 *   pass    it is passed on like the first one
 *   debug   a lasting condition repeats it: it is passed on with the level `debug`
 *   drop    a single datagram causes it, so a flood can cause many: it is not passed on
 */
const TREATMENT = {
  listening: ["info", "pass"],
  connected: ["info", "pass"],
  disconnected: ["info", "pass"],
  "socket settings": ["info", "pass"],
  "dial failed": ["warning", "debug"],
  "connection rejected": ["info", "debug"],
  "handshake failed": ["info", "debug"],
  "session disconnected": ["info", "pass"],
  "session opened": ["info", "pass"],
  "session closed": ["info", "pass"],
  "session rejected": ["warning", "drop"],
  "mode mismatch": ["warning", "debug"],
  "fd limit": ["warning", "pass"],
  "local address unknown": ["warning", "pass"],
  "loop detected": ["warning", "drop"],
  "wrong source": ["warning", "drop"],
  "target refused": ["warning", "drop"],
  "unexpected answer": ["warning", "drop"],
  "sending failed": ["warning", "drop"],
  "sending recovered": ["warning", "pass"],
  "interface lost": ["warning", "pass"],
  "interface restored": ["warning", "pass"],
  "unauthenticated listener": ["warning", "pass"],
  "target address changed": ["info", "pass"],
  "target switched": ["info", "debug"],
  "address skipped": ["info", "pass"],
  "wrong secret": ["warning", "debug"],
  "secret exposed": ["warning", "pass"],
  "certificate warning": ["warning", "pass"],
  "certificates reloaded": ["info", "pass"],
  "certificate reload failed": ["warning", "pass"],
  "peer flapping": ["warning", "debug"],
  "address limit": ["warning", "debug"],
  "name lookup failed": ["warning", "debug"],
} as const satisfies Record<EventType, readonly [level: EventLevel, repeated: "pass" | "debug" | "drop"]>;

type DatagramEventType = {
  [Type in EventType]: (typeof TREATMENT)[Type][1] extends "drop" ? Type : never;
}[EventType];

/**
 * The kind of an event. Each kind is throttled apart from its type, and its first event is a warning:
 *
 *   a TLS code    the cause is more often a wrong option than the network
 *   fd limit      this host has too few file descriptors
 *   PEER_CLOSED   the server closed the connection; earlier dials may have failed in another way
 */
function kindOf(event: TunnelEvent): string | undefined {
  if (event.type === "connection rejected" && event.reason === "fd limit") return event.reason;
  if (event.type === "dial failed" && event.code === PEER_CLOSED) return PEER_CLOSED;
  return "code" in event && isTlsCode(event.code) ? event.code : undefined;
}

export class EventReporter {
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
   * Counts an event that a datagram causes as suppressed if it repeats one of the last minute. Call this
   * before building the event: a flood then costs no memory.
   *
   * @returns whether it was counted. If not, report the event.
   */
  suppressRepeat(type: DatagramEventType): boolean {
    return this.#throttle.suppressRepeat(type, this.#now());
  }

  /**
   * Reports an event.
   *
   * @param isRetry the event repeats an attempt that failed, so its level is `debug`.
   */
  report(event: TunnelEvent, isRetry = false): void {
    const { type } = event;
    const kind = kindOf(event);
    const [, repeated] = TREATMENT[type];
    const level = this.#levelOf(type, kind);
    if (repeated === "pass" && kind === undefined) return this.#notify(event, isRetry ? "debug" : level, 0);
    const repeats = this.#throttle.take(kind ?? type, this.#now());
    if (repeats !== undefined) this.#notify(event, level, repeats);
    else if (repeated !== "drop") this.#notify(event, repeated === "debug" ? "debug" : "info", 0);
  }

  /**
   * Reports the listening ports, and warns if any client can connect.
   *
   * @param limitsAccess whether clients are authenticated or their addresses are limited.
   */
  reportListening(tcp: readonly Endpoint[], udp: readonly Endpoint[], limitsAccess: boolean): void {
    this.report({ type: "listening", tcp, udp });
    if (!limitsAccess && tcp.some(({ address }) => !isLoopback(address)))
      this.report({ type: "unauthenticated listener", tcp });
  }

  /** Makes the next event of this type count as the first one. */
  resetThrottle(type: EventType): void {
    this.#throttle.reset(type);
    if (type === "dial failed") this.#throttle.reset(PEER_CLOSED);
  }

  /** The first failed dial, and the first event of each kind, is a warning. Later ones are `info`. */
  #levelOf(type: EventType, kind: string | undefined): EventLevel {
    if (type === "dial failed" || kind !== undefined)
      return this.#throttle.has(kind ?? type) ? "info" : "warning";
    return TREATMENT[type][0];
  }

  #notify(event: TunnelEvent, level: EventLevel, repeats: number): void {
    for (const listener of this.#listeners) invokeListener(() => listener(event, level, repeats));
  }
}

/** Occurrences sooner than this after the last reported one are suppressed. */
const THROTTLE_MS = 60_000;

/** Limits reports to one per key and minute, and counts the suppressed ones. */
export class LogThrottle {
  readonly #reported = new Map<string, { at: number; suppressed: number }>();

  /** Whether the key was reported since its last reset. */
  has(key: string): boolean {
    return this.#reported.has(key);
  }

  /**
   * Counts one occurrence.
   *
   * @returns how many were suppressed since the last report; undefined if this one must be suppressed, too.
   */
  take(key: string, now: number): number | undefined {
    if (this.suppressRepeat(key, now)) return undefined;
    const suppressed = this.#reported.get(key)?.suppressed ?? 0;
    this.#reported.set(key, { at: now, suppressed: 0 });
    return suppressed;
  }

  /** Counts an occurrence if it must be suppressed. @returns whether it must. */
  suppressRepeat(key: string, now: number): boolean {
    const last = this.#reported.get(key);
    if (last === undefined || now - last.at >= THROTTLE_MS) return false;
    last.suppressed++;
    return true;
  }

  /** The next occurrence is reported at once. */
  reset(key: string): void {
    this.#reported.delete(key);
  }
}
