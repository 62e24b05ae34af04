import { describe, expect, test } from "bun:test";
import { EventReporter, LogThrottle } from "../../src/observe/event-reporter.ts";
import type { TunnelEvent } from "../../src/observe/events.ts";

const at = { address: "192.0.2.1", port: 5 };
const echo: TunnelEvent = { type: "loop detected", source: at };
const failed: TunnelEvent = { type: "dial failed", to: "a", code: "E", message: "m", retryInMs: 1 };

/** A source whose listener notes level and count, on a clock set by hand. */
function source() {
  const told: string[] = [];
  const clock = { now: 0 };
  const events = new EventReporter(() => clock.now);
  events.addListener((event, level, repeats) => told.push(`${event.type}: ${level} ${repeats}`));
  return { told, clock, events };
}

test("what happens again is told once a minute, with how often it was held back", () => {
  const repeats = new LogThrottle();
  const counts = [0, 1, 59_999, 60_000, 60_001, 200_000].map((now) => repeats.take("x", now));
  expect(counts).toEqual([0, undefined, undefined, 2, undefined, 1]);
  expect(repeats.take("y", 200_000)).toBe(0);
  repeats.reset("x");
  expect(repeats.take("x", 200_001)).toBe(0);
});

describe("levels", () => {
  test("what datagrams cause is a warning once a minute, and nobody is called in between", () => {
    const { told, clock, events } = source();
    for (let count = 0; count < 1000; count++) events.report(echo);
    clock.now = 60_000;
    events.report(echo);
    expect(told).toEqual(["loop detected: warning 0", "loop detected: warning 999"]);
  });

  test("a failed dial is a warning, then info once a minute and debug in between, until one succeeds", () => {
    const { told, clock, events } = source();
    for (const now of [0, 100, 200, 60_000, 60_100]) {
      clock.now = now;
      events.report(failed);
    }
    events.resetThrottle("dial failed");
    events.report(failed);
    expect(told.map((line) => line.slice("dial failed: ".length))).toEqual([
      "warning 0",
      "debug 0",
      "debug 0",
      "info 2",
      "debug 0",
      "warning 0",
    ]);
  });

  test("a connection refused at a limit of this host is a warning once, others are info", () => {
    const { told, clock, events } = source();
    events.report({ type: "connection rejected", remote: at, reason: "address not allowed" });
    for (const now of [0, 100, 60_000]) {
      clock.now = now;
      events.report({ type: "connection rejected", remote: at, reason: "fd limit" });
    }
    const levels = told.map((line) => line.slice("connection rejected: ".length));
    expect(levels).toEqual(["info 0", "warning 0", "debug 0", "info 1"]);
  });

  test("changes of state are told every time", () => {
    const { told, events } = source();
    for (let count = 0; count < 3; count++) events.report({ type: "connected", local: at, remote: at });
    expect(told).toEqual(Array(3).fill("connected: info 0"));
  });
});

test("an event that is not due counts in the repeats of the next one", () => {
  let now = 0;
  const repeatCounts: number[] = [];
  const events = new EventReporter(() => now);
  events.addListener((_event, _level, repeats) => repeatCounts.push(repeats));
  const source = { address: "192.0.2.1", port: 5 };
  for (const at of [0, 1, 2, 60_000]) {
    now = at;
    if (events.isDue("loop detected")) events.report({ type: "loop detected", source });
  }
  expect(repeatCounts).toEqual([0, 2]);
});
