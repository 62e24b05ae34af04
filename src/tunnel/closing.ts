/** The time that is left for what is queued when a tunnel or a channel closes. */

import type { Clock } from "../net/clock.ts";

/** How long it may take, and how often it is looked at. */
export const CLOSE_MS = 1000;
const POLL_MS = 5;

/** Settles when nothing is `writing` any more, or at the deadline. */
export async function waitUntilFlushed(
  clock: Clock,
  writing: () => boolean,
  deadline: number,
): Promise<void> {
  while (writing() && clock.now() < deadline) {
    await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
  }
}
