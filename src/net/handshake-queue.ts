/**
 * Decides when a TLS handshake of an accepted connection starts. All listeners of the process share one
 * queue:
 *
 * 1. At most one starts in each tick of the event loop, in order of arrival, and other sockets come in
 *    between. Left alone, Bun 1.4.5 would handle five in each tick, the newest first, so that old ones would
 *    starve (test/bun-facts/tls.test.ts). While there is credit, queued handshakes follow one another.
 * 2. A tick with a handshake costs credit: its whole time, so that handshakes are fewer while the loop has
 *    other work. The credit is enough for a burst of 1,000 sessions. A flood uses it up, and then gets SHARE
 *    of the time.
 *
 * Costs measured at the server: P-256 0.28 ms, RSA-2048 0.86 ms, resumed 0.26 ms.
 */

import type { Clock } from "./clock.ts";

/**
 * The most credit: 1,000 sources at once take some 500 to 600 ms of the server just after its start. While it
 * lasts, a flood makes a quiet tunnel's round trip 2.5 times as long; with the credit used up, 1.4 to 1.9
 * times.
 */
const BURST_MS = 1000;
/** The share of the time that handshakes get when the credit is used up, and by which it grows. */
const SHARE = 1 / 8;
/** A handshake costs at least this. One admitted at once runs in a later tick, which is not charged. */
const LEAST_MS = 0.3;
/** And at most this: a process that stood still for seconds must not wait eight times as long afterwards. */
const MOST_MS = 20;

/** A connection that is paused before its handshake. */
export interface PausedHandshake {
  /** Resumes reading. Bun handles the client's first message in the next tick. */
  start(): void;
}

const queues = new WeakMap<Clock, HandshakeQueue>();

export class HandshakeQueue {
  readonly #clock: Clock;
  /** In order of arrival. */
  readonly #waiting = new Set<PausedHandshake>();
  #creditMs = BURST_MS;
  /** When the credit was last changed. */
  #countedAt: number;
  /** A handshake has started and its tick has not ended, or the queue waits for credit. */
  #busy = false;

  private constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.now();
  }

  /** The queue of all code that uses this clock. In production that is the whole process. */
  static of(clock: Clock): HandshakeQueue {
    const queue = queues.get(clock) ?? new HandshakeQueue(clock);
    queues.set(clock, queue);
    return queue;
  }

  /** Whether the handshake may start at once. If not, it is queued, and the caller pauses the connection. */
  admit(handshake: PausedHandshake): boolean {
    if (!this.#busy) {
      this.#grow();
      if (this.#creditMs > 0) {
        this.#endTickLater();
        return true;
      }
      this.#awaitCredit();
    }
    this.#waiting.add(handshake);
    return false;
  }

  /** Removes the handshake of a closed connection. */
  forget(handshake: PausedHandshake): void {
    this.#waiting.delete(handshake);
  }

  readonly #endTick = (): void => {
    const tickMs = this.#grow();
    this.#creditMs -= Math.min(MOST_MS, Math.max(LEAST_MS, tickMs));
    this.#next();
  };

  #next(): void {
    const [next] = this.#waiting;
    this.#busy = false;
    if (next === undefined) return;
    if (this.#creditMs <= 0) return this.#awaitCredit();
    this.#waiting.delete(next);
    this.#endTickLater();
    next.start();
  }

  #endTickLater(): void {
    this.#busy = true;
    this.#clock.endOfTick(this.#endTick);
  }

  #awaitCredit(): void {
    this.#busy = true;
    this.#clock.after(1 - this.#creditMs / SHARE, () => {
      this.#grow();
      this.#next();
    });
  }

  /** Adds the credit for the time that has passed. @returns that time. */
  #grow(): number {
    const now = this.#clock.now();
    const passedMs = now - this.#countedAt;
    this.#countedAt = now;
    this.#creditMs = Math.min(BURST_MS, this.#creditMs + passedMs * SHARE);
    return passedMs;
  }
}
