/**
 * Watches a timer in the program that it is loaded before, for `bun --preload`: the first SIGUSR2 starts it, the next
 * has it say how late it was.
 */

import { say } from "./say.ts";
import { TIMER_MS, type TimerReport } from "./timer-report.ts";

const late: number[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

function watch(): void {
  const due = performance.now() + TIMER_MS;
  timer = setTimeout(() => {
    late.push(Math.max(0, performance.now() - due));
    watch();
  }, TIMER_MS);
}

process.on("SIGUSR2", () => {
  if (timer === undefined) return watch();
  clearTimeout(timer);
  late.sort((a, b) => a - b);
  const at = (share: number) => late[Math.floor(share * (late.length - 1))] ?? Number.NaN;
  const report: TimerReport = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  say({ type: "late", ...report });
});
