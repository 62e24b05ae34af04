/** How late the event loop is: a timer is set again and again, and each time it is noted how late it runs. */

import type { Clock, Timer } from "../net/clock.ts";
import { DelayHistogram } from "./delay-histogram.ts";

/** One sample each. An idle process is woken no more often than this. */
export const SAMPLE_MS = 100;
/** Upper bounds of the buckets in milliseconds. */
const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export class LoopLateness {
  readonly histogram = new DelayHistogram(BOUNDS_MS);
  readonly #clock: Clock;
  #timer: Timer;

  /** Samples until {@link stop}. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = this.#next();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    const due = this.#clock.now() + SAMPLE_MS;
    return this.#clock.after(SAMPLE_MS, () => {
      let late = Math.max(0, this.#clock.now() - due);
      // A loop that was held up for long has missed samples. Each would have been one interval less late.
      for (; late >= 0; late -= SAMPLE_MS) this.histogram.record(late);
      this.#timer = this.#next();
    });
  }
}
