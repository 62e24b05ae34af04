import { expect, test } from "bun:test";
import { CoDel, TARGET_MS } from "../../src/link/codel.ts";

test("reports a standing queue when every frame of 100 ms exceeded the target", () => {
  const queue = new CoDel();
  for (let now = 0; now < 100; now += 10) {
    queue.onFrame(TARGET_MS + 1, now);
    expect(queue.okToDrop(now)).toBe(false);
  }
  expect(queue.okToDrop(100)).toBe(true);
});

test("one frame below the target ends the interval: the queue was a burst", () => {
  const queue = new CoDel();
  for (let now = 0; now <= 200; now += 10) queue.onFrame(now === 50 ? TARGET_MS : TARGET_MS + 1, now);
  expect(queue.okToDrop(149)).toBe(false);
  expect(queue.okToDrop(160)).toBe(true);
});

test("an empty queue is not a standing queue", () => {
  const queue = new CoDel();
  queue.onFrame(50, 0);
  queue.onEmpty();
  expect(queue.okToDrop(200)).toBe(false);
});

test("after a report, the next one takes another 100 ms", () => {
  const queue = new CoDel();
  queue.onFrame(50, 0);
  expect(queue.okToDrop(100)).toBe(true);
  queue.onFrame(50, 101);
  expect(queue.okToDrop(150)).toBe(false);
  expect(queue.okToDrop(201)).toBe(true);
});
