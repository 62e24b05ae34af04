/** The delay between two attempts. `Backoff` computes it. `RedialTimer` waits for it and can be shortened. */

import type { Clock, Timer } from "../../net/clock.ts";

const FIRST_MS = 100;
const LONGEST_MS = 5000;
/** `RedialTimer` waits at most this long while datagrams wait for a connection. */
const DEMAND_MS = 800;
/**
 * A connection without a received frame counts as useful if it lived this long, because its traffic may be
 * one-way. A server may take 10 s to reject a client, while it waits for the secret or for the first frame.
 */
export const USEFUL_MS = 15_000;

/** The delay after a failure starts at `firstMs` and doubles, up to 5 s. Pure: `now` is an argument. */
export class Backoff {
  readonly #firstMs: number;
  readonly #random: (() => number) | undefined;
  #nextMs: number;
  #dueAt = -Infinity;

  /** @param random gives numbers from 0 up to 1, to vary each delay by up to a quarter, within 5 s. */
  constructor(random?: () => number, firstMs = FIRST_MS) {
    this.#random = random;
    this.#firstMs = firstMs;
    this.#nextMs = firstMs;
  }

  /** The delay after the next failure, before it is varied. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** How long the next attempt has to wait; 0 when it is due. */
  waitMs(now: number): number {
    return Math.max(0, this.#dueAt - now);
  }

  /** An attempt has failed. @returns the delay before the next one. */
  onFailure(now: number): number {
    const factor = this.#random === undefined ? 1 : 0.75 + this.#random() / 2;
    const delayMs = Math.min(LONGEST_MS, this.#nextMs * factor);
    this.#nextMs = Math.min(LONGEST_MS, this.#nextMs * 2);
    this.#dueAt = now + delayMs;
    return delayMs;
  }

  /** An attempt has succeeded: the next delay is the first one again. */
  reset(): void {
    this.#nextMs = this.#firstMs;
    this.#dueAt = -Infinity;
  }
}

/** Calls `redial` after a delay. Demand shortens the delay. */
export class RedialTimer {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #redial: () => void;
  #dueAt: number;
  #timer: Timer;

  constructor(clock: Clock, delayMs: number, redial: () => void) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#dueAt = this.#startedAt + delayMs;
    this.#redial = redial;
    this.#timer = clock.after(delayMs, redial);
  }

  /** A datagram waits for the connection. */
  onDemand(): void {
    const dueAt = this.#startedAt + DEMAND_MS;
    if (dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    this.#timer.cancel();
    this.#timer = this.#clock.after(Math.max(0, dueAt - this.#clock.now()), this.#redial);
  }

  cancel(): void {
    this.#timer.cancel();
  }
}
