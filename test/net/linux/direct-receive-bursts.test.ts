/** UDP sockets that Bun and the direct receive read in turn. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { burn } from "../../support/burn.ts";
import { freeUdpPort } from "../../support/loopback.ts";
import { openFiles } from "../../support/process-figures.ts";
import { until } from "../../support/until.ts";
import { numbered, record, Scene, Source, texts } from "./burst-scene.ts";
import { libc, noLibc } from "./open-libc.ts";

const BURST = 16;

describe.skipIf(noLibc)("a UDP socket that Bun reads while little arrives", () => {
  test("is read directly after a burst, and by Bun again after a quiet time", async () => {
    const scene = new Scene();
    const filesBefore = openFiles();
    const { port, received } = record(scene);
    const source = new Source(port);
    source.send(...numbered(BURST - 1));
    await until("few datagrams", () => received.length === BURST - 1);
    expect(scene.changes).toBe(0);
    source.send(...numbered(100, BURST - 1));
    await until("a burst", () => received.length === BURST + 99);
    expect([scene.changes, scene.timers]).toEqual([1, 1]);
    scene.passQuietTime(); // the first, in which the burst arrived
    expect([scene.changes, scene.timers]).toEqual([1, 1]);
    scene.passQuietTime();
    expect([scene.changes, scene.timers]).toEqual([2, 0]);
    source.send(...numbered(8, BURST + 99));
    await until("the last ones", () => received.length === BURST + 107);
    expect([received, scene.changes, port.kernelDrops()]).toEqual([texts(BURST + 107), 2, 0]);
    for (const open of [port, source.port]) open.close();
    expect(openFiles()).toBeLessThanOrEqual(filesBefore); // an earlier test may still close one
  });

  test("stays read directly while a datagram is queued: it can be a merged one", async () => {
    const scene = new Scene();
    const { port, received } = record(scene);
    const source = new Source(port);
    source.send(...numbered(64));
    await until("a burst", () => received.length === 64);
    const { changes } = scene;
    scene.passQuietTime();
    source.send(...numbered(20, 64)); // not read before the end of this tick
    scene.passQuietTime();
    expect([scene.changes, scene.timers]).toEqual([changes, 1]);
    await until("the others", () => received.length === 84);
    scene.passQuietTime();
    scene.passQuietTime();
    expect([received, scene.changes, scene.timers]).toEqual([texts(84), changes + 1, 0]);
    for (const open of [port, source.port]) open.close();
  });

  test.each(["bun", "direct"])("can be closed by a receiver (%s)", async (state) => {
    const filesBefore = openFiles();
    const scene = new Scene();
    const closeAt = state === "bun" ? 20 : 170;
    const { port, received } = record(scene, (count) => count === closeAt && port.close());
    const source = new Source(port);
    const first = state === "bun" ? BURST - 1 : 100; // the datagrams after a burst are merged
    source.send(...numbered(first));
    await until("the first ones", () => received.length === first);
    source.send(...numbered(200, first));
    await until("the close", () => received.length >= closeAt);
    await new Promise(setImmediate);
    source.port.close();
    expect([received, scene.timers]).toEqual([texts(closeAt), 0]);
    expect(openFiles()).toBeLessThanOrEqual(filesBefore);
  });

  test.each(["eventfd", "fcntl", "reserve"] as const)(
    "stays with Bun without a free descriptor (%s), and is read directly when one is free",
    async (lacking) => {
      const scene = new Scene();
      const filesBefore = openFiles();
      if (lacking === "reserve") scene.openBelow = 0;
      else Object.assign(scene.libc, { [lacking]: () => -1 });
      const { port, received } = record(scene);
      const source = new Source(port);
      source.send(...numbered(500));
      await until("all", () => received.length === 500);
      expect([scene.changes, scene.timers]).toEqual([0, 0]);
      scene.openBelow = Infinity;
      if (lacking !== "reserve") Object.assign(scene.libc, { [lacking]: libc[lacking] });
      source.send(...numbered(500, 500));
      await until("all", () => received.length === 1000);
      expect([received, scene.changes]).toEqual([texts(1000), 1]);
      for (const open of [port, source.port]) open.close();
      expect(openFiles()).toBeLessThanOrEqual(filesBefore);
    },
  );

  test("kernel drops count each of the merged datagrams that the kernel drops together", async () => {
    const scene = new Scene();
    let received = 0;
    const port = scene.open({ onDatagram: () => void received++, onError() {} });
    const source = new Source(port);
    const payloads = Array.from({ length: 40 }, () => new Uint8Array(1200));
    source.send(...payloads);
    await until("a burst", () => received === 40);
    for (let count = 0; count < 1000; count++) source.send(...payloads); // more than the buffer holds
    await new Promise(setImmediate);
    source.send(...payloads);
    const drops = () => port.kernelDrops() ?? Number.NaN;
    await until("the rest", () => Math.abs(received + drops() - source.sent) < source.sent / 20);
    expect(drops()).toBeGreaterThan(20_000);
    await Bun.sleep(5); // until all is read
    const { changes } = scene;
    for (const _ of [1, 2]) scene.passQuietTime();
    expect(scene.changes).toBe(changes + 1);
    const settled = drops();
    expect(Math.abs(received + settled - source.sent)).toBeLessThan(source.sent / 20);
    expect(drops()).toBe(settled);
    for (const open of [port, source.port]) open.close();
  });

  test("a flood of datagrams that take long to handle does not block the event loop, and none is lost", async () => {
    const DATAGRAMS = 5000;
    let inTick = 0;
    let mostInTick = 0;
    const { port, received } = record(new Scene(), () => {
      burn(10);
      send(); // Bun's loop alone would handle all of them
      if (inTick++ === 0) setImmediate(() => (inTick = 0));
      mostInTick = Math.max(mostInTick, inTick);
    });
    const source = new Source(port);
    const send = () => source.sent < DATAGRAMS && source.send(...numbered(1, source.sent));
    await Bun.sleep(5); // until Bun has called drain for the new sockets
    for (let count = 0; count < 64; count++) send();
    await until("the last", () => received.length === DATAGRAMS);
    // At least 10 us each in one millisecond, checked every 32 datagrams, and the first 23 that Bun read.
    expect(mostInTick).toBeLessThanOrEqual(160);
    expect(received).toEqual(texts(DATAGRAMS));
    for (const open of [port, source.port]) open.close();
  });

  test("ICMP errors are reported once while it is read directly, and the event loop is idle", async () => {
    const scene = new Scene();
    const { port, received, errors } = record(scene);
    const source = new Source(port);
    source.send(...numbered(64));
    await until("a burst", () => received.length === 64);
    const observer = { onSent() {}, onSendDropped() {}, onWritable() {} };
    const sender = port.sender({ address: "127.0.0.1", port: await freeUdpPort() }, observer);
    for (const round of [1, 2, 3]) {
      sender.add(new Uint8Array(1), 0, 1);
      sender.flush();
      await until("the error", () => errors.length >= round);
    }
    expect(errors).toEqual(["ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED"]);
    const before = process.cpuUsage();
    await Bun.sleep(200); // the measured interval
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(60_000); // a spinning loop would use all of it
    source.send(...numbered(10, 64));
    await until("more", () => received.length === 74);
    for (const open of [port, source.port]) open.close();
  });

  test.each(["auto", "off"] as const)(
    "random loads arrive complete, in order, once and not merged, at any change (offload %s)",
    async (offload) => {
      const scene = new Scene(offload);
      let expected: Map<number, Uint8Array[]> = new Map();
      let wrong = 0;
      let count = 0;
      const onDatagram = (payload: Uint8Array, from: number) => {
        count++;
        const next = expected.get(from)?.shift();
        if (next === undefined || Buffer.compare(next, payload) !== 0) wrong++;
      };
      const port = scene.open({ onDatagram, onError: (code) => expect(code).toBe("") }, "::1");
      const sources = [new Source(port), new Source(port), new Source(port, "off")];
      const step = fc.oneof(
        fc.record({
          source: fc.nat(sources.length - 1),
          datagrams: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 20, max: 150 })),
          length: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 6, max: 1400 })),
          last: fc.nat(3),
        }),
        fc.constantFrom("tick", "quiet", "all" as const),
      );
      let number = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
          expected = new Map(sources.map((source) => [source.port.local.port, []]));
          [count, wrong] = [0, 0];
          let sent = 0;
          for (const one of steps) {
            if (one === "tick") await new Promise(setImmediate);
            else if (one === "quiet") for (const _ of [1, 2]) scene.passQuietTime();
            else if (one === "all") await until("all", () => count >= sent);
            else {
              const payloads = Array.from({ length: one.datagrams }, (_, index) => {
                const short = index === one.datagrams - 1 ? one.last : 0;
                return payloadOf(number++, Math.max(0, one.length - short));
              });
              const source = sources[one.source] as Source;
              expected.get(source.port.local.port)?.push(...payloads);
              sent += payloads.length;
              source.send(...payloads);
            }
          }
          await until("all", () => count >= sent);
          await new Promise(setImmediate);
          expect({ wrong, count }).toEqual({ wrong: 0, count: sent });
        }),
        { numRuns: 150 },
      );
      expect(port.kernelDrops()).toBe(0);
      expect(scene.changes).toBeGreaterThan(50);
      for (const open of [port, ...sources.map((source) => source.port)]) open.close();
    },
  );
});

/** Bytes that differ for each number, if there is room for it. */
function payloadOf(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(length));
  for (let at = 0; at < length; at++) bytes[at] = (number >> (8 * (at % 4))) + at;
  return bytes;
}
