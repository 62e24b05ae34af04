/** The timer of `timer-watch.ts`, and its report. */

export const TIMER_MS = 5;

/** The lateness of a timer of {@link TIMER_MS}, in milliseconds. */
export interface TimerReport {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}
