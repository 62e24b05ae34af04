/**
 * Connections from the address of the peer being served. A port scanner, a health check or a balancer's probe may come
 * from there as well as a peer that has started again, so each waits until one of these tells which it is:
 *
 *     it sends a whole frame           it is a peer, and replaces the one being served
 *     the served peer's system is silent   though asked every second: the newest one that waits replaces it
 *     the served connection ends       the newest one that waits is served
 *     it closes, or time is up         it is refused, and the served peer has noticed nothing
 */

import { HEADER_BYTES } from "../framing/header.ts";
import type { Clock, Timer } from "../net/clock.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";

/** How many may wait at one port; the oldest makes room. */
const PENDING_MAX = 4;
/** How long one may wait. A peer that is refused then dials again. */
const PENDING_MS = 10_000;
/** A served peer whose system has acknowledged nothing for this long, while it was asked every second, is gone. */
export const SILENT_MS = 3500;
const LOOK_MS = 1000;

export interface PendingOwner {
  /** For how long the served peer's system has acknowledged nothing; undefined when that is not known. */
  silentMs(): number | undefined;
  /** This one replaces the served peer. @param sentFrame whether it has sent a whole frame; the stream brings it anew. */
  onReplacement(index: number, stream: StreamPort, sentFrame: boolean): void;
  /** This one is not served; the stream is still to be ended. */
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

  /** Lets one wait. @param index the port it came to: 0, in RTP mode also 1. */
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

  /** Takes out the newest one that waits at this port, or at any. */
  take(index?: number): { index: number; stream: StreamPort } | undefined {
    const found = [...this.#pending].findLast((other) => index === undefined || other.index === index);
    if (found === undefined) return undefined;
    this.#remove(found);
    found.handBack();
    return found;
  }

  /** Refuses all that wait. */
  clear(): void {
    for (const pending of [...this.#pending]) this.#refuse(pending);
  }

  /** Looks every second whether the served peer is gone, or time is up. */
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

/** One connection that waits, and what it has sent: less than a frame. */
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

  /** The stream brings what it has sent anew, to its next receiver. */
  handBack(): void {
    this.stream.unread(this.#sent);
  }
}
