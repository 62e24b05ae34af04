/** Measures the event loop's lag: sets a timer again and again, and records how late each one runs. */

import type { Clock, Timer } from "../net/clock.ts";
import { DelayHistogram } from "./delay-histogram.ts";

/** The interval of the samples. It wakes an idle process. */
export const SAMPLE_MS = 100;
/** Upper bounds of the buckets in milliseconds. */
const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export class EventLoopLag {
  readonly histogram = new DelayHistogram(BOUNDS_MS);
  readonly #clock: Clock;
  #timer: Timer;

  /** Takes samples until {@link stop}. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = this.#sample();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #sample(): Timer {
    const due = this.#clock.now() + SAMPLE_MS;
    return this.#clock.after(SAMPLE_MS, () => {
      let lag = Math.max(0, this.#clock.now() - due);
      // A loop that was blocked for long has missed samples. Each missed one has one interval less lag than
      // the one before it.
      for (; lag >= 0; lag -= SAMPLE_MS) this.histogram.record(lag);
      this.#timer = this.#sample();
    });
  }
}
