/**
 * Detects a standing queue, after CoDel (RFC 8289): for a whole INTERVAL, every frame that left the queue had
 * exceeded the TARGET sojourn time, the time that a frame spends in the queue. A burst empties within an
 * INTERVAL, so some frame of it stays below TARGET. Pure: `now` is an argument.
 */

/** The acceptable sojourn time. */
export const TARGET_MS = 5;
const INTERVAL_MS = 100;

export class CoDel {
  /** When the sojourn time first exceeded TARGET; undefined when the last frame was below it. */
  #firstAboveAt: number | undefined;

  /** A frame leaves the queue. */
  onFrame(sojournMs: number, now: number): void {
    if (sojournMs <= TARGET_MS) this.#firstAboveAt = undefined;
    else this.#firstAboveAt ??= now;
  }

  /** The queue is empty. */
  onEmpty(): void {
    this.#firstAboveAt = undefined;
  }

  /** Whether the caller must now drop every frame older than TARGET. If so, a new INTERVAL begins. */
  okToDrop(now: number): boolean {
    if (this.#firstAboveAt === undefined || now - this.#firstAboveAt < INTERVAL_MS) return false;
    this.#firstAboveAt = undefined;
    return true;
  }
}
