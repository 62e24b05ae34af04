import { expect, test } from "bun:test";
import { CoDel, TARGET_MS } from "../../src/link/codel.ts";
import { DELAY_BOUNDS_MS, DelayHistogram } from "../../src/observe/delay-histogram.ts";

test("a queue stands when every frame of 100 ms had waited longer than the target", () => {
  const queue = new CoDel();
  for (let now = 0; now < 100; now += 10) {
    queue.onFrame(TARGET_MS + 1, now);
    expect(queue.okToDrop(now)).toBe(false);
  }
  expect(queue.okToDrop(100)).toBe(true);
});

test("one frame that did not wait makes it a burst", () => {
  const queue = new CoDel();
  for (let now = 0; now <= 200; now += 10) queue.onFrame(now === 50 ? TARGET_MS : TARGET_MS + 1, now);
  expect(queue.okToDrop(149)).toBe(false);
  expect(queue.okToDrop(160)).toBe(true);
});

test("an empty queue does not stand", () => {
  const queue = new CoDel();
  queue.onFrame(50, 0);
  queue.onEmpty();
  expect(queue.okToDrop(200)).toBe(false);
});

test("after it was drained it stands again only after another 100 ms", () => {
  const queue = new CoDel();
  queue.onFrame(50, 0);
  expect(queue.okToDrop(100)).toBe(true);
  queue.onFrame(50, 101);
  expect(queue.okToDrop(150)).toBe(false);
  expect(queue.okToDrop(201)).toBe(true);
});

test("the histogram puts a wait into the first bucket whose bound it does not exceed", () => {
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
