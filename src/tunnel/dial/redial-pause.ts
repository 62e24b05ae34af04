/** The wait between two dials, which gets shorter when somebody needs the connection. */

import type { Clock, Timer } from "../../net/clock.ts";

/** While datagrams arrive, nobody waits longer than this between two dials. */
const WANTED_MS = 800;

export class RedialPause {
  readonly #clock: Clock;
  readonly #beganAt: number;
  readonly #onOver: () => void;
  #endsAt: number;
  #timer: Timer;

  constructor(clock: Clock, delayMs: number, onOver: () => void) {
    this.#clock = clock;
    this.#beganAt = clock.now();
    this.#endsAt = this.#beganAt + delayMs;
    this.#onOver = onOver;
    this.#timer = clock.after(delayMs, onOver);
  }

  /** A datagram waits. */
  want(): void {
    const endsAt = this.#beganAt + WANTED_MS;
    if (endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    this.#timer.cancel();
    this.#timer = this.#clock.after(Math.max(0, endsAt - this.#clock.now()), this.#onOver);
  }

  /** Goes on at once. */
  end(): void {
    this.cancel();
    this.#onOver();
  }

  /** Never goes on. */
  cancel(): void {
    this.#timer.cancel();
  }
}
