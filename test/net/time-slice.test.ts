/** The process's time slice, on a clock that each look moves on. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Backlog, type PausedSocket, TimeSlice } from "../../src/net/time-slice.ts";

// Bun does not print an error's cause, which is where the failed expectation would else stand.
fc.configureGlobal({ ...fc.readConfigureGlobal(), includeErrorInReport: true });

/** A slice whose clock moves on by `lookMs` at each look, and `endTick`, which says whether another tick was asked for. */
function sliceWith(lookMs = 0) {
  const time = { nowMs: 0, lookMs };
  let ends: (() => void)[] = [];
  const slice = TimeSlice.of({
    now: () => (time.nowMs += time.lookMs),
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

test("there is one for each clock", () => {
  const clock = { now: () => 0, after: () => ({ cancel() {} }), endOfTick() {} };
  expect(TimeSlice.of(clock)).toBe(TimeSlice.of(clock));
  expect(TimeSlice.of(clock)).not.toBe(TimeSlice.of({ ...clock }));
});

test("backlogs are handled in rotation, and the next tick begins with the one after the last", () => {
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

test("whatever else took the tick, one quantum of what waits is handled", () => {
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

test("while several are served each has a quantum only; one alone has the slice", () => {
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

test("a few paused sockets are read again in each tick, in their order, those without room keeping their place", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const poor = socket("poor", done, false);
  slice.awaitRead(poor);
  for (let number = 0; number < 6; number++) slice.awaitRead(socket(`${number}`, done));
  endTick();
  expect(done.splice(0)).toEqual(["0", "1", "2", "3"]);
  expect(endTick()).toBe(true);
  expect(done.splice(0)).toEqual(["4", "5"]);
  expect(endTick()).toBe(false); // nothing spins for the sake of one that has no room
  poor.hasRoom = true;
  slice.begin();
  endTick();
  expect(done).toEqual(["poor"]);
});

test("sockets that brought much are read one in a tick, and each has a quantum only while the others wait", () => {
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

test("new sockets are read at once while nobody waits, a few in a tick, and before the paused ones", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const fresh = Array.from({ length: 6 }, (_, number) => socket(`new ${number}`, done));
  expect(fresh.map((one) => slice.admit(one))).toEqual([true, true, true, true, false, false]);
  slice.awaitRead(socket("paused", done));
  endTick();
  expect(done).toEqual(["new 4", "new 5", "paused"]);
});

test("what asked for the end of the tick comes before the backlogs, once, and survives another's fault", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  const flush = () => void done.push("flush");
  slice.defer(backlog("backlog", done, 1));
  slice.atEndOfTick(() => {
    throw new Error("a fault");
  });
  for (let time = 0; time < 2; time++) slice.atEndOfTick(flush);
  expect(endTick).toThrow("a fault");
  endTick();
  expect(done).toEqual(["flush", "backlog"]);
});

test("a fault leaves no paused socket behind", () => {
  const { slice, endTick } = sliceWith();
  const done: string[] = [];
  slice.awaitRead(socket("read", done));
  slice.defer({
    handleQuantum() {
      throw new Error("a fault");
    },
  });
  expect(endTick).toThrow("a fault");
  expect(endTick()).toBe(true);
  expect(done).toEqual(["read"]);
});

test("whoever is forgotten is not called", () => {
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

test("whatever is queued, everything is served in the end, whoever has no room excepted until it has", () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant("backlog"), quanta: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ type: fc.constantFrom("paused", "new"), hasRoom: fc.boolean() }),
    fc.record({ type: fc.constant("tick") }),
  ) as fc.Arbitrary<{ type: string; quanta?: number; hasRoom?: boolean }>;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 0.1, 2), (steps, lookMs) => {
      const { slice, endTick } = sliceWith(lookMs);
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
        // until nothing more is to be done
      }
      for (const one of poor) one.hasRoom = true;
      slice.begin();
      while (endTick()) {
        // and again
      }
      expect(done.length).toBe(expected);
    }),
  );
});
