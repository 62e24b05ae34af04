/** Passes events to listeners, each with its level. Events that recur are throttled to one a minute. */

import { type Endpoint, isLoopback } from "../net/endpoint.ts";
import { isTlsCode } from "../net/tls/tls-failure.ts";
import { type EventLevel, type EventListener, PEER_CLOSED, type TunnelEvent } from "./events.ts";
import { invokeListener } from "./invoke-listener.ts";

type EventType = TunnelEvent["type"];

/**
 * Events that single datagrams cause, so that a flood can cause many. Repeats within a minute are not passed
 * on at all.
 */
const DATAGRAM_EVENT_TYPES = [
  "loop detected",
  "wrong source",
  "target refused",
  "unexpected answer",
  "sending failed",
  "session rejected",
] as const;
type DatagramEventType = (typeof DATAGRAM_EVENT_TYPES)[number];
const DATAGRAM_EVENTS = new Set<EventType>(DATAGRAM_EVENT_TYPES);
/** Events that a lasting condition repeats. Repeats within a minute have the level `debug`. */
const RECURRING = new Set<EventType>([
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
  ...DATAGRAM_EVENT_TYPES,
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
   * Whether an event that a datagram causes would be passed on now. If not, it counts as suppressed. Ask
   * before building the event: a flood then costs no memory.
   */
  isDue(type: DatagramEventType): boolean {
    return this.#throttle.isDue(type, this.#now());
  }

  /**
   * Reports an event.
   *
   * @param isRetry the event repeats an attempt that failed, so its level is `debug`.
   */
  report(event: TunnelEvent, isRetry = false): void {
    const { type } = event;
    const kind = kindOf(event);
    const recurs = DATAGRAM_EVENTS.has(type) || RECURRING.has(type) || kind !== undefined;
    const level = this.#levelOf(type, kind);
    if (!recurs) return this.#notify(event, isRetry ? "debug" : level, 0);
    const repeats = this.#throttle.take(kind ?? type, this.#now());
    if (repeats !== undefined) this.#notify(event, level, repeats);
    else if (!DATAGRAM_EVENTS.has(type)) this.#notify(event, RECURRING.has(type) ? "debug" : "info", 0);
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
    return WARNINGS.has(type) ? "warning" : "info";
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
    if (!this.isDue(key, now)) return undefined;
    const suppressed = this.#reported.get(key)?.suppressed ?? 0;
    this.#reported.set(key, { at: now, suppressed: 0 });
    return suppressed;
  }

  /** Whether an occurrence would be reported now. If not, it counts as suppressed. */
  isDue(key: string, now: number): boolean {
    const last = this.#reported.get(key);
    const due = last === undefined || now - last.at >= THROTTLE_MS;
    if (!due) last.suppressed++;
    return due;
  }

  /** The next occurrence is reported at once. */
  reset(key: string): void {
    this.#reported.delete(key);
  }
}
