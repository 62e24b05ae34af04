/** How long one link may keep the event loop from everything else by what TCP has brought. */

import type { Clock } from "../net/clock.ts";

const TURN_MS = 3;

export class DeliveryTurn {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #beganAt: number | undefined;

  /** @param onEnd called when the others have had theirs and the next turn may begin. */
  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** Begins a turn at `now`, unless one is under way. */
  begin(now: number): void {
    if (this.#beganAt !== undefined) return;
    this.#beganAt = now;
    this.#clock.endOfTurn(this.#end);
  }

  /** Whether it has lasted long enough. */
  get over(): boolean {
    return this.#beganAt !== undefined && this.#clock.now() - this.#beganAt >= TURN_MS;
  }

  readonly #end = (): void => {
    this.#beganAt = undefined;
    this.#onEnd();
  };
}
