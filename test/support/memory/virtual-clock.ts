/** A clock that stands still until a test advances it. */

import type { Clock, Timer } from "../../../src/net/clock.ts";

export class VirtualClock implements Clock {
  #now = 0;
  #timers: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  #atEndOfTick: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  endOfTick(run: () => void): void {
    this.#atEndOfTick.push(run);
  }

  /** The number of timers that have not run. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Runs everything that is due now: ends of ticks, timers and settled promises, until none is left. */
  async settle(): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve)); // runs the callbacks of promises
      const due = this.#timers.filter((timer) => timer.at <= this.#now);
      if (this.#atEndOfTick.length === 0 && due.length === 0) return;
      this.endTick();
      const next = due.sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next !== undefined) {
        this.#timers = this.#timers.filter((timer) => timer !== next);
        next.run();
      }
    }
  }

  /**
   * Calls the functions that were added for the end of this tick. Functions that these add run one tick
   * later.
   */
  endTick(): void {
    const runs = this.#atEndOfTick;
    this.#atEndOfTick = [];
    for (const run of runs) run();
  }

  /** Advances by this many milliseconds, and stops at each timer that becomes due. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (;;) {
      const next = Math.min(...this.#timers.map((timer) => timer.at));
      if (next > end) break;
      this.#now = Math.max(this.#now, next);
      await this.settle();
    }
    this.#now = end;
    await this.settle();
  }
}
