/** Chunks that are too long to be delivered within one tick of the event loop. */

import { describe, expect, test } from "bun:test";
import { type InboundOptions, InboundPath } from "../../src/link/inbound-path.ts";
import { MemoryBudget } from "../../src/link/memory-budget.ts";
import type { DatagramSender, SendDropReason, SendObserver } from "../../src/net/datagram-port.ts";
import type { StreamPort } from "../../src/net/stream-port.ts";
import { Counters } from "../../src/observe/counters.ts";

const FRAMES = 1000;
/** One-byte frames, numbered modulo 256. */
const CHUNK = Uint8Array.from({ length: 3 * FRAMES }, (_, at) => [0, 1, (at / 3) & 255][at % 3] as number);

/** An inbound path on a clock that advances by a millisecond each time it is read. */
function slowPath(options: Partial<InboundOptions> = {}) {
  let nowMs = 0;
  const ends: (() => void)[] = [];
  const sent: number[] = [];
  const streamCalls: string[] = [];
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
  const stream = {
    pause: () => void streamCalls.push("pause"),
    resume: () => void streamCalls.push("resume"),
  };
  const counters = new Counters();
  const path = new InboundPath({ clock, counters, maxDelayMs: Infinity, chunkBudget: undefined, ...options });
  path.sendTo(sender as unknown as DatagramSender, 4);
  path.open(stream as unknown as StreamPort);
  return {
    path,
    clock,
    sent,
    streamCalls,
    counters,
    /** How often the end of a tick was requested and has not come yet. */
    ticksDue: () => ends.length,
    endTick: () => ends.splice(0).forEach((end) => void end()),
  };
}

test("the rest of a long chunk is delivered in the next ticks, and the stream is paused meanwhile", () => {
  const { path, clock, sent, streamCalls, endTick } = slowPath();
  path.onChunk(CHUNK, clock.now());
  let ticks = 1;
  while (sent.length < FRAMES) {
    expect(streamCalls).toEqual(["pause"]);
    const before = sent.length;
    endTick();
    ticks++;
    expect(sent.length - before).toBeGreaterThan(0);
    expect(sent.length - before).toBeLessThanOrEqual(256);
  }
  endTick();
  expect(ticks).toBeGreaterThan(3);
  expect(sent).toEqual(Array.from({ length: FRAMES }, (_, number) => number & 255));
  expect(streamCalls).toEqual(["pause", "resume"]);
  endTick();
  expect(streamCalls).toEqual(["pause", "resume"]);
});

test("a chunk below a quantum requests no tick; a longer one does", () => {
  const { path, clock, sent, ticksDue } = slowPath({ chunkBudget: new MemoryBudget(1 << 20) });
  for (let chunk = 0; chunk < 3; chunk++) path.onChunk(CHUNK.slice(0, 3 * 255), clock.now());
  expect([sent.length, ticksDue()]).toEqual([3 * 255, 0]);
  path.onChunk(CHUNK.slice(), clock.now());
  expect(ticksDue()).toBe(1);
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
  const { path, clock, sent, streamCalls, endTick } = slowPath();
  path.afterDelivery(() => streamCalls.push("at once"));
  path.onChunk(CHUNK, clock.now());
  path.afterDelivery(() => streamCalls.push(`after ${sent.length}`));
  for (let tick = 0; tick < 20; tick++) endTick();
  expect(streamCalls).toEqual(["at once", "pause", `after ${FRAMES}`, "resume"]);
});

test("a chunk that arrives while the stream is paused is delivered too", () => {
  const { path, clock, sent, streamCalls, endTick } = slowPath();
  path.onChunk(CHUNK, clock.now());
  path.onChunk(CHUNK, clock.now()); // TLS can do this
  for (let tick = 0; tick < 40; tick++) endTick();
  expect(sent.length).toBe(2 * FRAMES);
  expect(streamCalls).toEqual(["pause", "resume"]);
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

/** A UDP socket with room for `room` datagrams. The sender holds the first one that does not fit. */
class FullSocket implements DatagramSender {
  room: number;
  held = 0;
  readonly #observer: SendObserver;

  constructor(observer: SendObserver, room: number) {
    this.#observer = observer;
    this.room = room;
  }

  get blocked(): boolean {
    return this.held > 0;
  }

  add(): void {
    this.held++;
    this.flush();
  }

  flush(): void {
    const datagrams = Math.min(this.held, this.room);
    this.held -= datagrams;
    this.room -= datagrams;
    this.#observer.onSent(datagrams, datagrams, 1);
  }

  drop(reason: SendDropReason): void {
    this.#observer.onSendDropped(reason, this.held);
    this.held = 0;
  }
}

describe("when the UDP socket is full", () => {
  /** A path that has sent 10 datagrams of a chunk; the socket has no room for the others. */
  function fullPath(options: Partial<InboundOptions> = {}) {
    const scene = slowPath(options);
    const { path, clock } = scene;
    const socket = new FullSocket(path, 10);
    path.sendTo(socket, 4);
    path.onChunk(CHUNK, clock.now());
    return { ...scene, socket, inbound: scene.counters.inbound };
  }

  test("the stream is paused, and the sender and the decoder hold the rest of the chunk", () => {
    const { path, socket, streamCalls, inbound, endTick } = fullPath();
    endTick();
    expect(streamCalls).toEqual(["pause"]);
    expect(inbound).toMatchObject({ received: FRAMES, sent: 10, droppedTotal: 0 });
    expect([socket.held, path.held]).toEqual([1, FRAMES - 10]);
  });

  test("all is delivered when the socket has room, and then the stream is read again", () => {
    const { path, socket, streamCalls, inbound, endTick } = fullPath();
    socket.room = FRAMES;
    path.onWritable();
    for (let tick = 0; tick < 20; tick++) endTick();
    expect(inbound).toMatchObject({ sent: FRAMES, droppedTotal: 0 });
    expect(streamCalls).toEqual(["pause", "resume"]);
  });

  test("the rest of the chunk is dropped as `expired` if it is too old when the socket has room", () => {
    const { path, socket, streamCalls, inbound, clock, endTick } = fullPath({ maxDelayMs: 100 });
    for (let ms = 0; ms < 100; ms++) clock.now();
    socket.room = FRAMES;
    path.onWritable();
    for (let tick = 0; tick < 20; tick++) endTick();
    expect(inbound).toMatchObject({ sent: 10, droppedTotal: FRAMES - 10 });
    expect(inbound.dropped.expired).toBe(FRAMES - 10);
    expect(streamCalls).toEqual(["pause", "resume"]);
  });

  test("another sender delivers the rest; the datagram that the first one holds is `unreachable`", () => {
    const { path, streamCalls, inbound, endTick } = fullPath();
    path.sendTo(new FullSocket(path, FRAMES), 4);
    for (let tick = 0; tick < 20; tick++) endTick();
    expect(inbound).toMatchObject({ sent: FRAMES - 1, droppedTotal: 1 });
    expect(inbound.dropped.unreachable).toBe(1);
    expect(streamCalls).toEqual(["pause", "resume"]);
  });

  test("a closed stream loses the rest of the chunk; the sender keeps what it holds", () => {
    const { path, socket, inbound } = fullPath();
    path.afterDelivery(() => path.close(), true);
    expect(inbound.dropped["stream lost"]).toBe(FRAMES - 11);
    expect([socket.held, path.held]).toEqual([1, 1]);
  });
});
