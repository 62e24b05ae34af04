/** Time, as everything above net/ sees it, so that tests can hold it still. */
export interface Clock {
  /** Milliseconds since some moment, with fractions, never going back. */
  now(): number;
  /** Calls `run` once, `delayMs` from now. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, when every socket that is ready now has been served. */
  endOfTick(run: () => void): void;
}

/** A call to come. */
export interface Timer {
  cancel(): void;
}

/** The real one. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timeout = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
  endOfTick: (run) => void setImmediate(run),
};
