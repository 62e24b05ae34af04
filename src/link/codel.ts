/**
 * Tells a queue that stands from a burst that passes, after the idea of CoDel (RFC 8289): a burst leaves within an
 * interval, so that some frame finds the queue short; in a queue that stands, every frame waits. Pure.
 */

/** A wait that is nothing to mind. */
export const TARGET_MS = 5;
/** Every frame waited longer than the target for this long: the queue stands. */
const INTERVAL_MS = 100;

export class CoDel {
  #standsSince: number | undefined;

  /** A frame has left the queue. @param waitedMs how long it had been there. */
  onFrame(waitedMs: number, now: number): void {
    if (waitedMs <= TARGET_MS) this.#standsSince = undefined;
    else this.#standsSince ??= now;
  }

  /** The queue is empty. */
  onEmpty(): void {
    this.#standsSince = undefined;
  }

  /** Whether the queue stands, so that whatever has waited longer than {@link TARGET_MS} is to be dropped now. */
  stands(now: number): boolean {
    if (this.#standsSince === undefined || now - this.#standsSince < INTERVAL_MS) return false;
    this.#standsSince = undefined;
    return true;
  }
}
