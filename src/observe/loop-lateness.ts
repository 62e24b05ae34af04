/** Measures how late the event loop is: sets a timer again and again, and records how late it runs. */

import type { Clock, Timer } from "../net/clock.ts";
import { DelayHistogram } from "./delay-histogram.ts";

/** The interval of the samples. It wakes an idle process. */
export const SAMPLE_MS = 100;
/** Upper bounds of the buckets in milliseconds. */
const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export class LoopLateness {
  readonly histogram = new DelayHistogram(BOUNDS_MS);
  readonly #clock: Clock;
  #timer: Timer;

  /** Takes samples until {@link stop}. */
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
      // A loop that was held up for long has missed samples. Each of them is one interval less late than the one
      // before.
      for (; late >= 0; late -= SAMPLE_MS) this.histogram.record(late);
      this.#timer = this.#next();
    });
  }
}
