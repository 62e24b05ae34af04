/**
 * Pending connections from the address of the served peer. They may come from a port scanner, a health check or a
 * balancer's probe, or from a peer that has restarted. Each waits until one of these happens:
 *
 *     it sends a whole frame               it is a peer, and replaces the served one
 *     the served peer's kernel is silent   though probed every second: the pending connection replaces it
 *     the served connection ends           the newest pending connection is served
 *     it closes, or its time is up         it is refused; the served peer is not disturbed
 */

import { HEADER_BYTES } from "../../framing/header.ts";
import type { Clock, Timer } from "../../net/clock.ts";
import type { StreamPort, StreamReceiver } from "../../net/stream-port.ts";

/** At most this many are pending at one port; a new one evicts the oldest. */
const PENDING_MAX = 4;
/** How long one may be pending. A peer that is refused then dials again. */
const PENDING_MS = 10_000;
/** A served peer whose kernel has acknowledged nothing for this long, though probed every second, is gone. */
export const SILENT_MS = 3500;
const LOOK_MS = 1000;

export interface PendingOwner {
  /** How long the served peer's kernel has acknowledged nothing; undefined when unknown. */
  silentMs(): number | undefined;
  /**
   * This one replaces the served peer.
   *
   * @param sentFrame whether it has sent a whole frame; the stream brings it again.
   */
  onReplacement(index: number, stream: StreamPort, sentFrame: boolean): void;
  /** This one is refused. The owner ends the stream. */
  onRefused(stream: StreamPort): void;
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

  /** Adds a connection. @param index the port it came to: 0, in RTP mode also 1. */
  add(index: number, stream: StreamPort): void {
    const others = [...this.#pending].filter((other) => other.index === index);
    if (others.length >= PENDING_MAX) this.#refuse(others[0] as PendingReplacement);
    const pending: PendingReplacement = new PendingReplacement(index, stream, {
      onFrame: () => this.#promote(pending, true),
      onGone: () => this.#refuse(pending),
    });
    this.#pending.add(pending);
    this.#watch(pending, this.#clock.now());
    stream.receive(pending);
  }

  /** Removes and returns the newest connection at this port, or at any. */
  take(index?: number): { index: number; stream: StreamPort } | undefined {
    const found = [...this.#pending].findLast((other) => index === undefined || other.index === index);
    if (found === undefined) return undefined;
    this.#remove(found);
    found.handBack();
    return found;
  }

  /** Refuses all pending connections. */
  clear(): void {
    for (const pending of [...this.#pending]) this.#refuse(pending);
  }

  /** Checks every second whether the served peer is gone, or the time is up. */
  #watch(pending: PendingReplacement, since: number): void {
    pending.timer = this.#clock.after(LOOK_MS, () => {
      const waitedMs = this.#clock.now() - since;
      const silentMs = Math.min(waitedMs, this.#owner.silentMs() ?? 0);
      if (silentMs >= SILENT_MS) this.#promote(pending, false);
      else if (waitedMs >= PENDING_MS) this.#refuse(pending);
      else this.#watch(pending, since);
    });
  }

  #promote(pending: PendingReplacement, sentFrame: boolean): void {
    this.#remove(pending);
    pending.handBack();
    this.#owner.onReplacement(pending.index, pending.stream, sentFrame);
  }

  #refuse(pending: PendingReplacement): void {
    this.#remove(pending);
    this.#owner.onRefused(pending.stream);
  }

  #remove(pending: PendingReplacement): void {
    this.#pending.delete(pending);
    pending.timer?.cancel();
  }
}

interface PendingEvents {
  onFrame(): void;
  /** It has closed the connection, or its half of it. */
  onGone(): void;
}

/** One pending connection, and the data it has sent: less than a frame. */
class PendingReplacement implements StreamReceiver {
  readonly index: number;
  readonly stream: StreamPort;
  timer: Timer | undefined;
  readonly #events: PendingEvents;
  #sent: Uint8Array = new Uint8Array();

  constructor(index: number, stream: StreamPort, events: PendingEvents) {
    this.index = index;
    this.stream = stream;
    this.#events = events;
  }

  onChunk(chunk: Uint8Array): void {
    this.#sent = this.#sent.length === 0 ? chunk : new Uint8Array(Buffer.concat([this.#sent, chunk]));
    const [high, low] = this.#sent;
    if (high === undefined || low === undefined) return;
    if (this.#sent.length >= HEADER_BYTES + high * 256 + low) this.#events.onFrame();
  }

  onDrain(): void {}

  onEnd(): void {
    this.#events.onGone();
  }

  onClose(): void {
    this.#events.onGone();
  }

  /** Gives the data back to the stream, which brings it again to its next receiver. */
  handBack(): void {
    this.stream.pushBack(this.#sent);
  }
}
