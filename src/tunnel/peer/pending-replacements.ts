/**
 * Connections from the current peer's address that are not known to be a peer's. They may come from a port
 * scanner, a health check, a load balancer's probe, or a peer that has restarted. Each is pending until one
 * of these happens:
 *
 *     it sends a whole frame                it is a peer's, and replaces the current connection
 *     the current peer's kernel is silent   though probed every second: it replaces the current connection
 *     the current connection ends           the newest pending connection is accepted
 *     it closes, or its time is up          it is rejected; the current connection is not affected
 */

import { HEADER_BYTES } from "../../framing/header.ts";
import type { Clock, Timer } from "../../net/clock.ts";
import type { StreamPort, StreamReceiver } from "../../net/stream-port.ts";

/** At most this many are pending at one port. A new one evicts the oldest. */
const PENDING_MAX = 4;
/** The longest time that a connection is pending. A peer that is rejected then dials again. */
const PENDING_MS = 10_000;
/** Without an acknowledgement for this long, though probed every second, the current peer is unreachable. */
const SILENT_MS = 3500;
const CHECK_INTERVAL_MS = 1000;

export interface PendingOwner {
  /** How long the current peer's kernel has acknowledged nothing; undefined when unknown. */
  peerSilentMs(): number | undefined;
  /**
   * The connection replaces the current one.
   *
   * @param sentFrame whether it has sent a whole frame. The stream delivers that data to its next receiver.
   */
  onReplacement(index: number, stream: StreamPort, sentFrame: boolean): void;
  /** The connection is rejected. The owner ends the stream. */
  onRejected(stream: StreamPort): void;
}

export class PendingReplacements {
  readonly #clock: Clock;
  readonly #owner: PendingOwner;
  /** The oldest first. */
  readonly #pending = new Set<PendingReplacement>();

  constructor(clock: Clock, owner: PendingOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Adds a connection. @param index the port that accepted it: 0, in RTP mode also 1. */
  add(index: number, stream: StreamPort): void {
    const samePort = [...this.#pending].filter((other) => other.index === index);
    if (samePort.length >= PENDING_MAX) this.#reject(samePort[0] as PendingReplacement);
    const pending: PendingReplacement = new PendingReplacement(index, stream, {
      onFrame: () => this.#promote(pending, true),
      onClosed: () => this.#reject(pending),
    });
    this.#pending.add(pending);
    this.#scheduleCheck(pending, this.#clock.now());
    stream.receive(pending);
  }

  /** Removes and returns the newest connection at this port, or at any port. */
  take(index?: number): { index: number; stream: StreamPort } | undefined {
    const found = [...this.#pending].findLast((other) => index === undefined || other.index === index);
    if (found === undefined) return undefined;
    this.#remove(found);
    found.pushBack();
    return found;
  }

  /** Rejects all pending connections. */
  clear(): void {
    for (const pending of [...this.#pending]) this.#reject(pending);
  }

  /** Checks every second whether the current peer is unreachable or the pending time is up. */
  #scheduleCheck(pending: PendingReplacement, since: number): void {
    pending.timer = this.#clock.after(CHECK_INTERVAL_MS, () => {
      const pendingMs = this.#clock.now() - since;
      const silentMs = Math.min(pendingMs, this.#owner.peerSilentMs() ?? 0);
      if (silentMs >= SILENT_MS) this.#promote(pending, false);
      else if (pendingMs >= PENDING_MS) this.#reject(pending);
      else this.#scheduleCheck(pending, since);
    });
  }

  #promote(pending: PendingReplacement, sentFrame: boolean): void {
    this.#remove(pending);
    pending.pushBack();
    this.#owner.onReplacement(pending.index, pending.stream, sentFrame);
  }

  #reject(pending: PendingReplacement): void {
    this.#remove(pending);
    this.#owner.onRejected(pending.stream);
  }

  #remove(pending: PendingReplacement): void {
    this.#pending.delete(pending);
    pending.timer?.cancel();
  }
}

interface PendingEvents {
  onFrame(): void;
  /** The client has closed the connection, or has sent FIN. */
  onClosed(): void;
}

/** One pending connection and the data received on it: less than one frame. */
class PendingReplacement implements StreamReceiver {
  readonly index: number;
  readonly stream: StreamPort;
  timer: Timer | undefined;
  readonly #events: PendingEvents;
  #received: Uint8Array = new Uint8Array();

  constructor(index: number, stream: StreamPort, events: PendingEvents) {
    this.index = index;
    this.stream = stream;
    this.#events = events;
  }

  onChunk(chunk: Uint8Array): void {
    const before = this.#received;
    this.#received = before.length === 0 ? chunk : new Uint8Array(Buffer.concat([before, chunk]));
    const [high, low] = this.#received;
    if (high === undefined || low === undefined) return;
    if (this.#received.length >= HEADER_BYTES + high * 256 + low) this.#events.onFrame();
  }

  onDrain(): void {}

  onEnd(): void {
    this.#events.onClosed();
  }

  onClose(): void {
    this.#events.onClosed();
  }

  /** Returns the received data to the stream, which delivers it to its next receiver. */
  pushBack(): void {
    this.stream.pushBack(this.#received);
  }
}
