/** How long frames waited before the kernel began to take them. */

/** Upper bounds of the buckets in milliseconds; the last bucket is open. */
export const DELAY_BOUNDS_MS = [0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

export class DelayHistogram {
  /** Frames in each bucket, not added up; one more than there are bounds. */
  readonly counts = new Float64Array(DELAY_BOUNDS_MS.length + 1);
  /** All waits together, in milliseconds. */
  sumMs = 0;

  record(delayMs: number): void {
    this.sumMs += delayMs;
    let bucket = 0;
    while (bucket < DELAY_BOUNDS_MS.length && delayMs > (DELAY_BOUNDS_MS[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
  }

  /** Frames recorded. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
