/** Time, for all code above net/. Tests use a virtual clock. */
export interface Clock {
  /** Milliseconds since an arbitrary moment, with fractions. Never decreases. */
  now(): number;
  /** Calls `run` once, after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, after all sockets that are ready now have been handled. */
  endOfTick(run: () => void): void;
}

/** A scheduled call. */
export interface Timer {
  cancel(): void;
}

/** The clock of the operating system. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timeout = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
  endOfTick: (run) => void setImmediate(run),
};
