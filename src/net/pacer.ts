/**
 * Paces the start of connections: at most one per interval, in order of arrival. Starting a connection is
 * expensive (a TLS handshake takes some hundred microseconds of computation). A burst of connections is
 * therefore spread over time, and other work runs in between. An isolated connection is not delayed.
 */

import type { Clock } from "./clock.ts";

/** A connection that can be paused. While it is paused, data from its peer stays in the kernel. */
interface Pausable {
  pause(): void;
  resume(): void;
}

export class Pacer<Connection extends Pausable> {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #onResumed: (connection: Connection) => void;
  /** In order of arrival. */
  readonly #waiting = new Set<Connection>();
  /** Whether a connection has started in the current interval. */
  #busy = false;

  /**
   * @param intervalMs the shortest time from one start to the next.
   * @param onResumed called after a paused connection was resumed.
   */
  constructor(clock: Clock, intervalMs: number, onResumed: (connection: Connection) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#onResumed = onResumed;
  }

  /** Lets a connection start now, or pauses it until its turn. */
  add(connection: Connection): void {
    if (!this.#busy) return this.#startInterval();
    connection.pause();
    this.#waiting.add(connection);
  }

  /** Removes a connection that is closed. */
  remove(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  #startInterval(): void {
    this.#busy = true;
    this.#clock.after(this.#intervalMs, () => {
      this.#busy = false;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#startInterval();
      next.resume();
      this.#onResumed(next);
    });
  }
}
