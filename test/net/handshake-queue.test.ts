import { expect, test } from "bun:test";
import { HandshakeQueue } from "../../src/net/handshake-queue.ts";
import { VirtualClock } from "../support/memory/virtual-clock.ts";

test("each clock has one queue", () => {
  const clock = new VirtualClock();
  expect(HandshakeQueue.of(clock)).toBe(HandshakeQueue.of(clock));
  expect(HandshakeQueue.of(clock)).not.toBe(HandshakeQueue.of(new VirtualClock()));
});

test("one handshake starts in each tick, in order of arrival, except removed ones", () => {
  const clock = new VirtualClock();
  const queue = HandshakeQueue.of(clock);
  const started: string[] = [];
  const handshake = (name: string) => ({ start: () => void started.push(name) });
  const closed = handshake("closed");
  const arriving = [handshake("a"), handshake("b"), closed, handshake("c")];
  expect(arriving.map((one) => queue.admit(one))).toEqual([true, false, false, false]);
  queue.forget(closed);
  clock.endTick();
  expect(started).toEqual(["b"]);
  expect(queue.admit(handshake("d"))).toBe(false);
  for (let tick = 0; tick < 3; tick++) clock.endTick();
  expect(started).toEqual(["b", "c", "d"]);
  expect(queue.admit(handshake("e"))).toBe(true); // isolated, so it is not delayed
  clock.endTick();
  expect(clock.pending).toBe(0);
});

test("after a burst of 1 s, handshakes get an eighth of the time; the credit comes back", () => {
  let nowMs = 0;
  let ends: (() => void)[] = [];
  let timer: { at: number; run: () => void } | undefined;
  const queue = HandshakeQueue.of({
    now: () => nowMs,
    after: (delayMs, run) => {
      timer = { at: nowMs + delayMs, run };
      return { cancel() {} };
    },
    endOfTick: (run) => void ends.push(run),
  });
  let started = 0;
  /** A flood: handshakes always wait, and each tick takes a millisecond. @returns how many start. */
  const flood = (ms: number): number => {
    const before = started;
    for (const until = nowMs + ms; nowMs < until; ) {
      for (let arrived = 0; arrived < 2; arrived++)
        if (queue.admit({ start: () => void started++ })) started++;
      nowMs++;
      const due = ends;
      ends = [];
      for (const end of due) end();
      if (timer === undefined || timer.at > nowMs) continue;
      const { run } = timer;
      timer = undefined;
      run();
    }
    return started - before;
  };
  expect(flood(1000)).toBeGreaterThan(990);
  flood(1000); // the rest of the credit
  const share = flood(8000);
  expect(share).toBeGreaterThan(900);
  expect(share).toBeLessThan(1100);
  nowMs += 20_000;
  expect(flood(1000)).toBeGreaterThan(990);
});

test("a process that stood still for a minute starts the next handshake soon", () => {
  let nowMs = 0;
  let end: (() => void) | undefined;
  const waitsMs: number[] = [];
  const queue = HandshakeQueue.of({
    now: () => nowMs,
    after: (delayMs) => {
      waitsMs.push(delayMs);
      return { cancel() {} };
    },
    endOfTick: (run) => {
      end = run;
    },
  });
  let started = 0;
  for (const _ of [1, 2]) if (queue.admit({ start: () => void started++ })) started++;
  nowMs += 60_000;
  end?.();
  expect([started, waitsMs]).toEqual([2, []]);
});
