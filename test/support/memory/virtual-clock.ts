/** A clock that stands still until a test moves it. */

import type { Clock, Timer } from "../../../src/net/clock.ts";

export class VirtualClock implements Clock {
  #now = 0;
  #timers: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  #turn: (() => void)[] = [];

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
    this.#turn.push(run);
  }

  /** Timers not yet due. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Lets everything that is due now happen: turns, timers and the promises they settle, until nothing is left. */
  async settle(): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve)); // promises in between run to their end
      const due = this.#timers.filter((timer) => timer.at <= this.#now);
      if (this.#turn.length === 0 && due.length === 0) return;
      this.endTurn();
      const next = due.sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next !== undefined) {
        this.#timers = this.#timers.filter((timer) => timer !== next);
        next.run();
      }
    }
  }

  /** Calls the functions that wait for the end of this turn, but none that is added meanwhile. */
  endTurn(): void {
    const turn = this.#turn;
    this.#turn = [];
    for (const run of turn) run();
  }

  /** Moves on by this many milliseconds, stopping at each timer on the way. */
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
