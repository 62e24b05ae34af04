/** What `timer-watch.ts` watches, and what it says of it. */

export const TIMER_MS = 5;

/** How late a timer of {@link TIMER_MS} was, milliseconds. */
export interface TimerReport {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}
