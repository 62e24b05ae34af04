import { expect, test } from "bun:test";
import {
  type Connection,
  ConnectionTable,
  connectionsMax,
} from "../../../src/tunnel/access/connection-table.ts";
import { VirtualClock } from "../../support/memory/virtual-clock.ts";

class Entry implements Connection {
  activeAt: number;
  idleLimitMs = Infinity;
  shrinks = 0;

  constructor(activeAt = 0) {
    this.activeAt = activeAt;
  }

  shrink(): void {
    this.shrinks++;
  }
}

test("each address has a limit of its own, and a deleted connection does not count", () => {
  const table = new ConnectionTable<Entry>(10, 2);
  const [first, second, other] = [new Entry(), new Entry(), new Entry()];
  table.add(first, "10.0.0.1");
  table.add(second, "10.0.0.1");
  table.add(other, "10.0.0.2");
  expect(table.findRoom(0, "10.0.0.1")).toEqual({ limit: "address limit" });
  expect(table.findRoom(0, "10.0.0.2")).toEqual({});
  expect(table.findRoom(0)).toEqual({});
  expect([table.delete(first), table.delete(first), table.size]).toEqual([true, false, 2]);
  expect([table.sizeOf("10.0.0.1"), table.sizeOf("10.0.0.3")]).toEqual([1, 0]);
  expect(table.findRoom(0, "10.0.0.1")).toEqual({});
});

test("a full table evicts the connection that was idle longest, once that is more than a minute", () => {
  const table = new ConnectionTable<Entry>(2);
  const [older, newer] = [new Entry(1000), new Entry(2000)];
  table.add(older);
  table.add(newer);
  expect(table.findRoom(61_000)).toEqual({ limit: "session limit" });
  expect(table.findRoom(61_001)).toEqual({ evict: older });
  older.activeAt = 60_000;
  expect(table.findRoom(62_001)).toEqual({ evict: newer });
});

test("an address at its limit evicts no connection of another address", () => {
  const table = new ConnectionTable<Entry>(2, 1);
  table.add(new Entry(), "10.0.0.1");
  table.add(new Entry(), "10.0.0.2");
  expect(table.findRoom(100_000, "10.0.0.2")).toEqual({ limit: "address limit" });
});

test("the sweep ends idle connections, shrinks others after 5 s, and can be stopped", async () => {
  const clock = new VirtualClock();
  const table = new ConnectionTable<Entry>(10);
  const start = clock.now();
  const [limited, unlimited] = [new Entry(start), new Entry(start)];
  limited.idleLimitMs = 3000;
  table.add(limited);
  table.add(unlimited);
  const ended: Entry[] = [];
  const stop = table.startSweep(clock, (entry) => {
    ended.push(entry);
    table.delete(entry);
  });
  await clock.advance(3000);
  expect(ended).toEqual([]);
  await clock.advance(1000);
  expect(ended).toEqual([limited]);
  await clock.advance(2000);
  expect([limited.shrinks, unlimited.shrinks]).toEqual([0, 1]);
  stop();
  expect(clock.pending).toBe(0);
});

test("a sweep that its own callback stops does not run again", async () => {
  const clock = new VirtualClock();
  const table = new ConnectionTable<Entry>(10);
  const idle = new Entry(clock.now());
  idle.idleLimitMs = 0;
  table.add(idle);
  const stop = table.startSweep(clock, () => stop());
  await clock.advance(1000);
  expect(clock.pending).toBe(0);
});

test("the limit of open files leaves 256 descriptors, or half of a low limit, for other use", () => {
  expect([1024, 84, 1, Infinity].map((limit) => connectionsMax(limit, 1))).toEqual([768, 42, 1, Infinity]);
  expect([1024, 84, 1].map((limit) => connectionsMax(limit, 2))).toEqual([384, 21, 1]);
});
