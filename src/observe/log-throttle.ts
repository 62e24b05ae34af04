/** How often a thing is told that happens again and again: at once, then at most once a minute. Pure. */

/** What is told again sooner is held back. */
export const AGAIN_MS = 60_000;

export class Repeats {
  readonly #told = new Map<string, { at: number; heldBack: number }>();

  /** Whether it has been told since it was last forgotten. */
  knows(what: string): boolean {
    return this.#told.has(what);
  }

  /** Counts one occurrence. @returns how many were held back since it was last told, or undefined: hold this one back. */
  admit(what: string, now: number): number | undefined {
    if (!this.isDue(what, now)) return undefined;
    const heldBack = this.#told.get(what)?.heldBack ?? 0;
    this.#told.set(what, { at: now, heldBack: 0 });
    return heldBack;
  }

  /** Whether an occurrence would be reported now. Counts it as suppressed when not. */
  isDue(what: string, now: number): boolean {
    const last = this.#told.get(what);
    const due = last === undefined || now - last.at >= AGAIN_MS;
    if (!due) last.heldBack++;
    return due;
  }

  /** It is over: the next occurrence is told at once. */
  forget(what: string): void {
    this.#told.delete(what);
  }
}
