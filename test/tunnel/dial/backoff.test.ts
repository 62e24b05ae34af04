import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Backoff, RedialTimer } from "../../../src/tunnel/dial/backoff.ts";
import { VirtualClock } from "../../support/memory/virtual-clock.ts";

describe("a back-off", () => {
  const jitter = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

  test.each([
    { firstMs: undefined, delays: [100, 200, 400, 800, 1600, 3200, 5000, 5000] },
    { firstMs: 300, delays: [300, 600, 1200, 2400, 4800, 5000, 5000, 5000] },
  ])("doubles from $firstMs to 5 s", ({ firstMs, delays }) => {
    const backoff = new Backoff(undefined, firstMs);
    expect(delays.map(() => [backoff.nextMs, backoff.onFailure(0)])).toEqual(delays.map((ms) => [ms, ms]));
  });

  test("varies each delay by up to a quarter, and never waits longer than 5 s", () => {
    fc.assert(
      fc.property(fc.array(jitter, { minLength: 1, maxLength: 20 }), (randoms) => {
        let turn = 0;
        const backoff = new Backoff(() => randoms[turn] as number);
        for (; turn < randoms.length; turn++) {
          const plannedMs = Math.min(5000, 100 * 2 ** turn);
          const delayMs = backoff.onFailure(turn);
          expect(delayMs).toBeGreaterThanOrEqual(plannedMs * 0.75);
          expect(delayMs).toBeLessThanOrEqual(Math.min(5000, plannedMs * 1.25));
        }
      }),
    );
  });

  test("uses the random numbers it is given", () => {
    expect(new Backoff(() => 0).onFailure(0)).toBe(75);
    expect(new Backoff(() => 0.5).onFailure(0)).toBe(100);
    expect(new Backoff(() => 0.999).onFailure(0)).toBeGreaterThan(124);
  });

  test("knows how long the next attempt has to wait", () => {
    const backoff = new Backoff();
    expect(backoff.waitMs(0)).toBe(0);
    backoff.onFailure(1000);
    expect([1000, 1099, 1100, 2000].map((now) => backoff.waitMs(now))).toEqual([100, 1, 0, 0]);
  });

  test("starts over after a success", () => {
    const backoff = new Backoff();
    for (let turn = 0; turn < 4; turn++) backoff.onFailure(0);
    backoff.reset();
    expect(backoff.waitMs(0)).toBe(0);
    expect(backoff.onFailure(0)).toBe(100);
  });
});

describe("the timer of a redial", () => {
  function started(delayMs: number) {
    const clock = new VirtualClock();
    const redials: number[] = [];
    const timer = new RedialTimer(clock, delayMs, () => redials.push(clock.now()));
    return { clock, redials, timer };
  }

  test.each([
    { delayMs: 5000, demandAt: undefined, redialAt: 5000 },
    { delayMs: 5000, demandAt: 0, redialAt: 800 },
    { delayMs: 5000, demandAt: 2000, redialAt: 2000 },
    { delayMs: 400, demandAt: 100, redialAt: 400 },
  ])("after $delayMs ms, with demand at $demandAt, runs it at $redialAt", async (given) => {
    const { clock, redials, timer } = started(given.delayMs);
    if (given.demandAt !== undefined) {
      await clock.advance(given.demandAt);
      timer.onDemand();
      timer.onDemand();
    }
    await clock.advance(10_000);
    expect(redials).toEqual([given.redialAt]);
  });

  test("never runs it after it was cancelled", async () => {
    const { clock, redials, timer } = started(5000);
    timer.onDemand();
    timer.cancel();
    await clock.advance(10_000);
    expect([redials, clock.pending]).toEqual([[], 0]);
  });
});
