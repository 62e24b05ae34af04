/** A histogram of delays. */

/** Upper bounds of the buckets of queue delays, in milliseconds. */
export const DELAY_BOUNDS_MS = [0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

export class DelayHistogram {
  readonly boundsMs: readonly number[];
  /** The number of delays in each bucket, not cumulative. The last bucket has no upper bound. */
  readonly counts: Float64Array;
  /** The sum of all delays, in milliseconds. */
  sumMs = 0;

  constructor(boundsMs: readonly number[] = DELAY_BOUNDS_MS) {
    this.boundsMs = boundsMs;
    this.counts = new Float64Array(boundsMs.length + 1);
  }

  record(delayMs: number): void {
    this.sumMs += delayMs;
    const { boundsMs } = this;
    let bucket = 0;
    while (bucket < boundsMs.length && delayMs > (boundsMs[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
  }

  /** The number of recorded delays. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
