import { describe, expect, test } from "bun:test";
import { EventReporter, LogThrottle } from "../../src/observe/event-reporter.ts";
import type { TunnelEvent } from "../../src/observe/events.ts";

const at = { address: "192.0.2.1", port: 5 };
const loop: TunnelEvent = { type: "loop detected", source: at };
const failed: TunnelEvent = { type: "dial failed", to: "a", code: "E", message: "m", retryInMs: 1 };

/** A reporter whose listener logs level and count, on a clock set by hand. */
function reporter() {
  const log: string[] = [];
  const clock = { now: 0 };
  const events = new EventReporter(() => clock.now);
  events.addListener((event, level, repeats) => log.push(`${event.type}: ${level} ${repeats}`));
  return { log, clock, events };
}

test("an occurrence is reported once a minute, with the number of suppressed ones", () => {
  const throttle = new LogThrottle();
  const counts = [0, 1, 59_999, 60_000, 60_001, 200_000].map((now) => throttle.take("x", now));
  expect(counts).toEqual([0, undefined, undefined, 2, undefined, 1]);
  expect(throttle.take("y", 200_000)).toBe(0);
  throttle.reset("x");
  expect(throttle.take("x", 200_001)).toBe(0);
});

describe("levels", () => {
  test("an event that datagrams cause is a warning once a minute, and suppressed in between", () => {
    const { log, clock, events } = reporter();
    for (let count = 0; count < 1000; count++) events.report(loop);
    clock.now = 60_000;
    events.report(loop);
    expect(log).toEqual(["loop detected: warning 0", "loop detected: warning 999"]);
  });

  test("failed dials are a warning, then info once a minute, debug in between, until one succeeds", () => {
    const { log, clock, events } = reporter();
    for (const now of [0, 100, 200, 60_000, 60_100]) {
      clock.now = now;
      events.report(failed);
    }
    events.resetThrottle("dial failed");
    events.report(failed);
    expect(log.map((line) => line.slice("dial failed: ".length))).toEqual([
      "warning 0",
      "debug 0",
      "debug 0",
      "info 2",
      "debug 0",
      "warning 0",
    ]);
  });

  test("the first connection rejected at a limit of this host is a warning, others are info", () => {
    const { log, clock, events } = reporter();
    events.report({ type: "connection rejected", remote: at, reason: "address not allowed" });
    for (const now of [0, 100, 60_000]) {
      clock.now = now;
      events.report({ type: "connection rejected", remote: at, reason: "fd limit" });
    }
    const levels = log.map((line) => line.slice("connection rejected: ".length));
    expect(levels).toEqual(["info 0", "warning 0", "debug 0", "info 1"]);
  });

  test("changes of state are reported every time", () => {
    const { log, events } = reporter();
    for (let count = 0; count < 3; count++) events.report({ type: "connected", local: at, remote: at });
    expect(log).toEqual(Array(3).fill("connected: info 0"));
  });
});

test("a suppressed event counts in the repeats of the next one", () => {
  let now = 0;
  const repeatCounts: number[] = [];
  const events = new EventReporter(() => now);
  events.addListener((_event, _level, repeats) => repeatCounts.push(repeats));
  const source = { address: "192.0.2.1", port: 5 };
  for (const at of [0, 1, 2, 60_000]) {
    now = at;
    if (!events.suppressRepeat("loop detected")) events.report({ type: "loop detected", source });
  }
  expect(repeatCounts).toEqual([0, 2]);
});
