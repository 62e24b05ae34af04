/** Chunks that are too long to be delivered within one tick of the event loop. */

import { expect, test } from "bun:test";
import { InboundPath } from "../../src/link/inbound-path.ts";
import type { LinkHooks } from "../../src/link/link-options.ts";
import type { DatagramSender } from "../../src/net/datagram-port.ts";
import type { StreamPort } from "../../src/net/stream-port.ts";
import { Counters } from "../../src/observe/counters.ts";

const FRAMES = 1000;
/** One-byte frames, numbered modulo 256. */
const CHUNK = Uint8Array.from({ length: 3 * FRAMES }, (_, at) => [0, 1, (at / 3) & 255][at % 3] as number);

/** An inbound path on a clock that advances by a millisecond each time it is read. */
function slowPath(hooks: LinkHooks = {}) {
  let nowMs = 0;
  const ends: (() => void)[] = [];
  const sent: number[] = [];
  const done: string[] = [];
  const clock = {
    now: () => nowMs++,
    after: () => ({ cancel: () => {} }),
    endOfTick: (run: () => void) => void ends.push(run),
  };
  const sender = {
    blocked: false,
    held: 0,
    add: (bytes: Uint8Array, start: number) => void sent.push(bytes[start] as number),
    flush: () => {},
  };
  const stream = { pause: () => void done.push("pause"), resume: () => void done.push("resume") };
  const counters = new Counters();
  const path = new InboundPath({ clock, counters, maxDelayMs: Infinity, chunkBudget: undefined, ...hooks });
  path.sendTo(sender as unknown as DatagramSender, 4);
  path.open(stream as unknown as StreamPort);
  return { path, clock, sent, done, counters, endTick: () => ends.splice(0).forEach((end) => void end()) };
}

test("the rest of a long chunk is delivered in the next ticks, and the stream is paused meanwhile", () => {
  const { path, clock, sent, done, endTick } = slowPath();
  path.onChunk(CHUNK, clock.now());
  let ticks = 1;
  while (sent.length < FRAMES) {
    expect(done).toEqual(["pause"]);
    const before = sent.length;
    endTick();
    ticks++;
    expect(sent.length - before).toBeGreaterThan(0);
    expect(sent.length - before).toBeLessThanOrEqual(256);
  }
  endTick();
  expect(ticks).toBeGreaterThan(3);
  expect(sent).toEqual(Array.from({ length: FRAMES }, (_, number) => number & 255));
  expect(done).toEqual(["pause", "resume"]);
  endTick();
  expect(done).toEqual(["pause", "resume"]);
});

test("a chunk counts as received when it arrives, and its undelivered rest counts as held", () => {
  const { path, clock, sent, counters, endTick } = slowPath();
  path.onChunk(CHUNK, clock.now());
  expect(counters.inbound).toMatchObject({ received: FRAMES, receivedBytes: FRAMES });
  expect(path.held).toBe(FRAMES - sent.length);
  expect(path.undeliveredBytes).toBe(CHUNK.length);
  while (sent.length < FRAMES) endTick();
  expect(counters.inbound.received).toBe(FRAMES);
  expect([path.held, path.undeliveredBytes]).toEqual([0, 0]);
});

test("when the stream is closed, the rest of its data is delivered before the end is reported", () => {
  const { path, clock, sent, counters, endTick } = slowPath();
  path.onChunk(CHUNK, clock.now());
  path.afterDelivery(() => path.close(), true);
  expect(sent.length).toBeLessThan(FRAMES);
  for (let tick = 0; tick < 20; tick++) endTick();
  expect(sent.length).toBe(FRAMES);
  expect(counters.inbound).toMatchObject({ received: FRAMES, droppedTotal: 0 });
});

test("when the stream is taken away, one quantum is delivered; the rest is counted as lost", () => {
  const { path, clock, sent, counters } = slowPath();
  path.onChunk(CHUNK, clock.now());
  const before = sent.length;
  path.close();
  expect(sent.length - before).toBe(256);
  expect(counters.inbound.dropped["stream lost"]).toBe(FRAMES - sent.length);
  expect([path.held, path.undeliveredBytes]).toEqual([0, 0]);
});

test("the end of the stream is reported after the data before it is delivered", () => {
  const { path, clock, sent, done, endTick } = slowPath();
  path.afterDelivery(() => done.push("at once"));
  path.onChunk(CHUNK, clock.now());
  path.afterDelivery(() => done.push(`after ${sent.length}`));
  for (let tick = 0; tick < 20; tick++) endTick();
  expect(done).toEqual(["at once", "pause", `after ${FRAMES}`, "resume"]);
});

test("a chunk that arrives while the stream is paused is delivered too", () => {
  const { path, clock, sent, done, endTick } = slowPath();
  path.onChunk(CHUNK, clock.now());
  path.onChunk(CHUNK, clock.now()); // TLS can do this
  for (let tick = 0; tick < 40; tick++) endTick();
  expect(sent.length).toBe(2 * FRAMES);
  expect(done).toEqual(["pause", "resume"]);
});

test("the send watch gets each refusal with its errno, and sent datagrams only while it is failing", () => {
  const calls: unknown[] = [];
  const sendWatch = {
    failing: false,
    onSent: () => void calls.push("sent"),
    onRefused: (code: string, datagrams: number) => void calls.push([code, datagrams]),
  };
  const { path } = slowPath({ sendWatch });
  path.onSent(1, 1, 1);
  path.onSendDropped("expired", 3);
  path.onSendDropped("send error", 2, "EPERM");
  sendWatch.failing = true;
  path.onSent(1, 1, 1);
  expect(calls).toEqual([["EPERM", 2], "sent"]);
});
