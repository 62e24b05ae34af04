import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RedialPolicy } from "../../../src/tunnel/dial/backoff.ts";

describe("redialling", () => {
  const jitter = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

  test("waits 0.1 s doubling to 5 s", () => {
    const policy = new RedialPolicy(() => 0.5);
    const delays = Array.from({ length: 8 }, () => policy.onDown(0).delayMs);
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test("jitters by a quarter and never waits longer than 5 s", () => {
    fc.assert(
      fc.property(fc.array(jitter, { minLength: 1, maxLength: 20 }), (randoms) => {
        let turn = 0;
        const policy = new RedialPolicy(() => randoms[turn] as number);
        for (; turn < randoms.length; turn++) {
          const plannedMs = Math.min(5000, 100 * 2 ** turn);
          const { delayMs } = policy.onDown(turn);
          expect(delayMs).toBeGreaterThanOrEqual(plannedMs * 0.75);
          expect(delayMs).toBeLessThanOrEqual(Math.min(5000, plannedMs * 1.25));
        }
      }),
    );
  });

  test("uses the jitter it is given", () => {
    expect(new RedialPolicy(() => 0).onDown(0).delayMs).toBe(75);
    expect(new RedialPolicy(() => 0.999).onDown(0).delayMs).toBeGreaterThan(124);
  });

  test("starts over after a stream that lived 5 s, and not before", () => {
    const policy = new RedialPolicy(() => 0.5);
    for (let turn = 0; turn < 4; turn++) policy.onDown(0);
    policy.onUp(1000);
    expect(policy.onDown(5999)).toEqual({ delayMs: 1600, settled: false });
    policy.onUp(6000);
    expect(policy.onDown(11_000)).toEqual({ delayMs: 100, settled: true });
    expect(policy.onDown(99_000)).toEqual({ delayMs: 200, settled: false });
  });
});
