/** Delays in buckets, such as how long frames waited before the kernel began to take them. */

/** Upper bounds of the buckets in milliseconds; the last bucket is open. */
export const DELAY_BOUNDS_MS = [0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

export class DelayHistogram {
  readonly boundsMs: readonly number[];
  /** Number of delays in each bucket, not cumulative; one more bucket than there are bounds. */
  readonly counts: Float64Array;
  /** The sum of all delays, in milliseconds. */
  sumMs = 0;

  /** @param boundsMs upper bounds of the buckets; one more bucket is open. */
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

  /** Number of delays recorded. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
