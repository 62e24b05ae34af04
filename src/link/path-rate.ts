/**
 * What a path carries, from what reaches the peer. Pure: `now` is an argument.
 *
 * The kernel's own estimate (tcpi_delivery_rate) is of no use here: it forgets a rate only for a higher one while the
 * application holds back, and holding back is what its reader does. Seen: 8.7 Mbit/s on a path of 2 Mbit/s, for good.
 */

/** One measurement takes this long, or a round trip if that is longer. */
const MEASURE_MS = 40;
/** The highest of so many measurements counts: acknowledgements come in lumps, and processes are held up. */
const MEASUREMENTS = 5;

export class PathRate {
  readonly #measurements = new Float64Array(MEASUREMENTS);
  #index = 0;
  #watchedAt = -Infinity;
  #since = 0;
  #deliveredBytes = 0;
  #fed = false;

  /** Bytes a millisecond, 0 before the first measurement. */
  get bytesPerMs(): number {
    let highest = 0;
    for (let index = 0; index < MEASUREMENTS; index++) {
      highest = Math.max(highest, this.#measurements[index] as number);
    }
    return highest;
  }

  /** @param deliveredBytes all that has reached the peer up to now. */
  observe(deliveredBytes: number, rttMs: number, now: number): void {
    const measureMs = Math.max(MEASURE_MS, rttMs);
    const unwatchedMs = now - this.#watchedAt;
    this.#watchedAt = now;
    // Nobody looked for long: that says nothing of what the path could carry.
    if (unwatchedMs < measureMs * 2) {
      const elapsedMs = now - this.#since;
      // While nothing arrives the path is interrupted: such a sample does not show its rate either.
      if (elapsedMs < measureMs || deliveredBytes === this.#deliveredBytes) return;
      this.#record((deliveredBytes - this.#deliveredBytes) / elapsedMs);
    }
    this.#since = now;
    this.#deliveredBytes = deliveredBytes;
    this.#fed = true;
  }

  /** There was nothing to send: the measurement under way can only show that the path carries more than was known. */
  onIdle(): void {
    this.#fed = false;
  }

  #record(bytesPerMs: number): void {
    if (!this.#fed && bytesPerMs <= this.bytesPerMs) return;
    this.#measurements[this.#index] = bytesPerMs;
    this.#index = (this.#index + 1) % MEASUREMENTS;
  }
}
