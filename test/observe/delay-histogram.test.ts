import { expect, test } from "bun:test";
import { DELAY_BOUNDS_MS, DelayHistogram } from "../../src/observe/delay-histogram.ts";

test("a delay counts in the first bucket whose bound it does not exceed", () => {
  const delay = new DelayHistogram();
  for (const ms of [0, 0.1, 0.2, 5, 5.1, 1000, 1001]) delay.record(ms);
  const filled = [...delay.counts].flatMap((count, bucket) =>
    count > 0 ? [[DELAY_BOUNDS_MS[bucket] ?? "more", count]] : [],
  );
  expect(filled).toEqual([
    [0.1, 2],
    [0.5, 1],
    [5, 1],
    [10, 1],
    [1000, 1],
    ["more", 1],
  ]);
  expect(delay.count).toBe(7);
  expect(delay.sumMs).toBeCloseTo(2011.4);
});
