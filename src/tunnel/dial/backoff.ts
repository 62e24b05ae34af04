/**
 * When to dial again: soon after the first failure, ever more seldom after that.
 * Pure: `now` is an argument.
 */

const FIRST_MS = 100;
const LONGEST_MS = 5000;
/** A stream that lived this long counts as success. */
const SETTLED_MS = 5000;
/**
 * A connection without a received frame counts as useful only if it lived this long: its traffic may go one way. A
 * server may take 10 s to reject a client (waiting for its proof, or for its first frame).
 */
export const USEFUL_MS = 15_000;

export class RedialPolicy {
  readonly #random: () => number;
  #nextMs = FIRST_MS;
  #upAt: number | undefined;

  /** @param random gives numbers from 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A stream is up. */
  onUp(now: number): void {
    this.#upAt = now;
  }

  /**
   * A dial failed, or the stream ended.
   *
   * @returns `delayMs`, after which to dial: 0.1 s doubling to 5 s, give or take a quarter; `settled`, whether the
   *   stream had lived long enough that its endpoint is worth another try.
   */
  onDown(now: number): { delayMs: number; settled: boolean } {
    const settled = this.#upAt !== undefined && now - this.#upAt >= SETTLED_MS;
    if (settled) this.#nextMs = FIRST_MS;
    this.#upAt = undefined;
    const delayMs = this.#nextMs * (0.75 + this.#random() / 2);
    this.#nextMs = Math.min(LONGEST_MS, this.#nextMs * 2);
    return { delayMs: Math.min(delayMs, LONGEST_MS), settled };
  }

  /** All is well again: the next failure is a first one. */
  reset(): void {
    this.#nextMs = FIRST_MS;
    this.#upAt = undefined;
  }
}
