/**
 * Measures the lateness of a timer in another program, as its `bun --preload`. At the first SIGUSR2 it starts
 * to measure; at the second it prints a report.
 */

import { writeMessage } from "./program.ts";
import { TIMER_MS, type TimerReport } from "./timer-report.ts";

let samples: number[] = [];
let due = 0;
let measuring = false;

function startTimer(): void {
  due = performance.now() + TIMER_MS;
  setTimeout(() => {
    samples.push(lateness());
    startTimer();
  }, TIMER_MS).unref();
}

function lateness(): number {
  return Math.max(0, performance.now() - due);
}

process.on("SIGUSR2", () => {
  if (!measuring) {
    measuring = true;
    samples = [];
    return;
  }
  samples.push(lateness()); // the timer that is still pending
  samples.sort((a, b) => a - b);
  const at = (quantile: number) => samples[Math.floor(quantile * (samples.length - 1))] as number;
  const report: TimerReport = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  writeMessage({ type: "late", ...report });
});

startTimer();
