/**
 * Lets streams begin one after the other. What a peer makes us do at the beginning (a TLS handshake is some
 * hundred microseconds of arithmetic) is spread over time, however many come at once, and everything else has
 * its turn between. Whoever comes alone does not wait.
 */

import type { Clock } from "./clock.ts";

/** What can be made to wait: while it is paused, what its peer says stays in the kernel. */
interface Pausable {
  pause(): void;
  resume(): void;
}

export class Pacer<One extends Pausable> {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #onBegin: (stream: One) => void;
  /** In the order in which they came. */
  readonly #waiting = new Set<One>();
  #closed = false;

  /**
   * @param intervalMs from one to the next, at least.
   * @param onBegin told of one that has waited and is let in now.
   */
  constructor(clock: Clock, intervalMs: number, onBegin: (stream: One) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#onBegin = onBegin;
  }

  /** Lets it begin now, or pauses it until it is its turn. */
  add(stream: One): void {
    if (!this.#closed) return this.#close();
    stream.pause();
    this.#waiting.add(stream);
  }

  /** It is gone, and waits no longer. */
  remove(stream: One): void {
    this.#waiting.delete(stream);
  }

  /** Until the next turn. */
  #close(): void {
    this.#closed = true;
    this.#clock.after(this.#intervalMs, () => {
      this.#closed = false;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#close();
      next.resume();
      this.#onBegin(next);
    });
  }
}
