/** How often a thing is told that happens again and again: at once, then at most once a minute. Pure. */

/** What is told again sooner is held back. */
const AGAIN_MS = 60_000;

export class LogThrottle {
  readonly #reported = new Map<string, { at: number; suppressed: number }>();

  /** Whether it has been told since it was last forgotten. */
  knows(what: string): boolean {
    return this.#reported.has(what);
  }

  /** Counts one occurrence. @returns how many were held back since it was last told, or undefined: hold this one back. */
  take(what: string, now: number): number | undefined {
    if (!this.isDue(what, now)) return undefined;
    const suppressed = this.#reported.get(what)?.suppressed ?? 0;
    this.#reported.set(what, { at: now, suppressed: 0 });
    return suppressed;
  }

  /** Whether an occurrence would be reported now. Counts it as suppressed when not. */
  isDue(what: string, now: number): boolean {
    const last = this.#reported.get(what);
    const due = last === undefined || now - last.at >= AGAIN_MS;
    if (!due) last.suppressed++;
    return due;
  }

  /** It is over: the next occurrence is told at once. */
  forget(what: string): void {
    this.#reported.delete(what);
  }
}
