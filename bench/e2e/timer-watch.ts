/**
 * Watches a timer in the program that it is loaded before, for `bun --preload`: at the first SIGUSR2 it begins to count,
 * at the next it says how late the timer was.
 */

import { writeMessage } from "./program.ts";
import { TIMER_MS, type TimerReport } from "./timer-report.ts";

let late: number[] = [];
let due = 0;
let counting = false;

function watch(): void {
  due = performance.now() + TIMER_MS;
  setTimeout(() => {
    late.push(lateness());
    watch();
  }, TIMER_MS).unref();
}

function lateness(): number {
  return Math.max(0, performance.now() - due);
}

process.on("SIGUSR2", () => {
  if (!counting) {
    counting = true;
    late = [];
    return;
  }
  late.push(lateness()); // of the one that is still to come
  late.sort((a, b) => a - b);
  const at = (share: number) => late[Math.floor(share * (late.length - 1))] as number;
  const report: TimerReport = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  writeMessage({ type: "late", ...report });
});

watch();
