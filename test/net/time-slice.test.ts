/** The time slice, on a clock that advances each time it is read. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Backlog, type PausedSocket, TimeSlice } from "../../src/net/time-slice.ts";

/**
 * A slice on a clock that advances by `readMs` at each reading. `endTick` ends the tick, and returns whether
 * the slice has requested another one.
 */
function sliceWith(readMs = 0) {
  const time = { nowMs: 0, readMs };
  let ends: (() => void)[] = [];
  const slice = TimeSlice.of({
    now: () => (time.nowMs += time.readMs),
    after: () => ({ cancel() {} }),
    endOfTick: (run) => void ends.push(run),
  });
  const endTick = (): boolean => {
    const now = ends;
    ends = [];
    for (const end of now) end();
    return ends.length > 0;
  };
  return { slice, time, endTick };
}

const socket = (name: string, done: string[], hasRoom = true) => ({
  hasRoom,
  lastBytes: 0,
  readAgain: () => void done.push(name),
});

const backlog = (name: string, done: string[], quanta: number): Backlog => ({
  handleQuantum: () => {
    done.push(name);
    return --quanta > 0;
  },
});

test("each clock has one slice", () => {
  const clock = { now: () => 0, after: () => ({ cancel() {} }), endOfTick() {} };
  expect(TimeSlice.of(clock)).toBe(TimeSlice.of(clock));
  expect(TimeSlice.of(clock)).not.toBe(TimeSlice.of({ ...clock }));
});

test("the slice's time stands still from its beginning to the end of the tick", () => {
  const { slice, time, endTick } = sliceWith();
  const times: number[] = [];
  for (const [now, step] of [[1], [2, () => slice.begin()], [3], [4, endTick]] as const) {
    time.nowMs = now;
    step?.();
    times.push(slice.now());
  }
  expect(times).toEqual([1, 2, 2, 4]);
});

test("backlogs are handled in rotation, and the next tick continues with the next one", () => {
  const { slice, endTick } = sliceWith(0.2);
  const done: string[] = [];
  for (const name of ["a", "b", "c", "d"]) slice.defer(backlog(name, done, 3));
  const ticks: string[] = [];
  for (let more = true; more; ) {
    more = endTick();
    ticks.push(done.splice(0).join(""));
  }
  expect(ticks.join("")).toBe("abcdabcdabcd");
  expect(ticks.length).toBeGreaterThan(3);
});

test("each tick handles at least one quantum of a backlog, even if other work used up the slice", () => {
  const { slice, time, endTick } = sliceWith();
  const done: string[] = [];
  slice.defer(backlog("a", done, 2));
  slice.defer(backlog("b", done, 2));
  for (let tick = 0; tick < 4; tick++) {
    time.nowMs += 100;
    endTick();
  }
  expect(done.join("")).toBe("abab");
});

test("a socket gets the whole slice while it is alone, else one quantum", () => {
  const { slice, time, endTick } = sliceWith();
  slice.begin();
  expect(slice.mustYield).toBe(false);
  time.nowMs += 1;
  expect(slice.mustYield).toBe(true);
  endTick();
  expect(slice.mustYield).toBe(false);
  for (const name of ["a", "b"]) slice.awaitRead(socket(name, []));
  endTick();
  expect(slice.mustYield).toBe(true);
  endTick();
  expect(slice.mustYield).toBe(false);
});

test("each tick reads a few paused sockets, in order; sockets without room stay queued", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const poor = socket("poor", done, false);
  slice.awaitRead(poor);
  for (let number = 0; number < 6; number++) slice.awaitRead(socket(`${number}`, done));
  endTick();
  expect(done.splice(0)).toEqual(["0", "1", "2", "3"]);
  expect(endTick()).toBe(true);
  expect(done.splice(0)).toEqual(["4", "5"]);
  expect(endTick()).toBe(false); // a socket without room requests no further tick
  poor.hasRoom = true;
  slice.onRoom();
  endTick();
  expect(done).toEqual(["poor"]);
});

test("freed memory requests a tick only while a socket is paused", () => {
  const { slice, endTick } = sliceWith();
  slice.onRoom();
  expect(endTick()).toBe(false);
  expect(slice.tick).toBe(0);
  slice.awaitRead(socket("paused", [], false));
  endTick();
  slice.onRoom();
  endTick();
  expect(slice.tick).toBe(2);
});

test("each tick reads one socket that brought much data; it gets one quantum while others wait", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  for (const name of ["a", "b"]) slice.awaitRead({ ...socket(name, done), lastBytes: 512 * 1024 });
  endTick();
  expect(done).toEqual(["a"]);
  expect(slice.mustYield).toBe(true);
  endTick();
  expect(done).toEqual(["a", "b"]);
  expect(slice.mustYield).toBe(false);
});

test("a few new sockets in a tick are read at once if no socket waits, the rest before paused ones", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const fresh = Array.from({ length: 6 }, (_, number) => socket(`new ${number}`, done));
  expect(fresh.map((one) => slice.admit(one))).toEqual([true, true, true, true, false, false]);
  slice.awaitRead(socket("paused", done));
  endTick();
  expect(done).toEqual(["new 4", "new 5", "paused"]);
});

test("end-of-tick callbacks run once, before backlogs, and in the next tick if another one throws", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const flush = () => void done.push("flush");
  slice.defer(backlog("backlog", done, 1));
  slice.atEndOfTick(() => {
    throw new Error("a defect");
  });
  for (let time = 0; time < 2; time++) slice.atEndOfTick(flush);
  expect(endTick).toThrow("a defect");
  endTick();
  expect(done).toEqual(["flush", "backlog"]);
});

test("an exception leaves no paused socket behind", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  slice.awaitRead(socket("read", done));
  slice.defer({
    handleQuantum() {
      throw new Error("a defect");
    },
  });
  expect(endTick).toThrow("a defect");
  expect(endTick()).toBe(true);
  expect(done).toEqual(["read"]);
});

test("a forgotten member is not called", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const member = { ...backlog("backlog", done, 1), ...socket("read", done) };
  slice.defer(member);
  slice.awaitRead(member);
  slice.admit(member);
  slice.forget(member);
  endTick();
  expect(done).toEqual([]);
});

test("everything queued is handled in the end, and a socket without room as soon as it has room", () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant("backlog"), quanta: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ type: fc.constantFrom("paused", "new"), hasRoom: fc.boolean() }),
    fc.record({ type: fc.constant("tick") }),
  ) as fc.Arbitrary<{ type: string; quanta?: number; hasRoom?: boolean }>;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 0.1, 2), (steps, readMs) => {
      const { slice, endTick } = sliceWith(readMs);
      const done: string[] = [];
      const poor: (PausedSocket & { hasRoom: boolean })[] = [];
      let expected = 0;
      for (const [index, { type, quanta, hasRoom = true }] of steps.entries()) {
        if (type === "tick") endTick();
        else if (type === "backlog") {
          slice.defer(backlog(`${index}`, done, quanta ?? 0));
          expected += quanta ?? 0;
        } else {
          const one = socket(`${index}`, done, hasRoom);
          if (!hasRoom) poor.push(one);
          if (type === "paused") slice.awaitRead(one);
          else if (slice.admit(one)) continue;
          expected++;
        }
      }
      while (endTick()) {
        // until no further tick is requested
      }
      for (const one of poor) one.hasRoom = true;
      slice.onRoom();
      while (endTick()) {
        // once more
      }
      expect(done.length).toBe(expected);
    }),
  );
});
