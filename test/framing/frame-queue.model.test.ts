/** Compares the queue with a naive model, an array of frames, through random operations. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  encodeFrame,
  FrameQueue,
  type FrameQueueLimits,
  PAYLOAD_BYTES_MAX,
} from "../../src/framing/index.ts";
import { decoded } from "./decoded.ts";

interface QueuedFrame {
  bytes: Uint8Array;
  pushedAt: number;
}

class QueueModel {
  /** The stream has taken the first `taken` bytes of the first frame. */
  queued: QueuedFrame[] = [];
  taken = 0;

  get whole(): QueuedFrame[] {
    return this.queued.slice(this.taken > 0 ? 1 : 0);
  }

  get unwritten(): Uint8Array {
    return Buffer.concat(this.queued.map((frame) => frame.bytes)).subarray(this.taken);
  }

  push(frame: QueuedFrame, limits: FrameQueueLimits): number {
    let dropped = 0;
    const fits = () =>
      this.whole.length < limits.framesMax &&
      this.whole.reduce((sum, { bytes }) => sum + bytes.length, frame.bytes.length) <= limits.bytesMax;
    for (; !fits(); dropped++) this.dropOldest();
    this.queued.push(frame);
    return dropped;
  }

  dropOldest(): boolean {
    return this.queued.splice(this.taken > 0 ? 1 : 0, 1).length > 0;
  }

  /** @returns the frames that are now completely written. */
  consume(count: number): QueuedFrame[] {
    const done: QueuedFrame[] = [];
    this.taken += count;
    for (let head = this.queued[0]; head && head.bytes.length <= this.taken; head = this.queued[0]) {
      this.taken -= head.bytes.length;
      done.push(head);
      this.queued.shift();
    }
    return done;
  }

  startStream(): number {
    const lost = this.taken > 0 ? 1 : 0;
    this.queued = this.whole;
    this.taken = 0;
    return lost;
  }
}

/** A queue and its model. Each operation runs on both, and the results are compared. */
class Pair {
  readonly queue: FrameQueue;
  readonly model = new QueueModel();
  readonly limits: FrameQueueLimits;
  now = 0;
  stream: Uint8Array[] = [];
  writtenToStream: string[] = [];
  counts = { pushed: 0, written: 0, dropped: 0, lost: 0 };

  constructor(limits: FrameQueueLimits) {
    this.limits = limits;
    this.queue = new FrameQueue(limits);
  }

  push(length: number, later: number): void {
    this.now += later;
    const datagram = new Uint8Array(length).fill(++this.counts.pushed);
    const dropped = this.queue.push(datagram, this.now);
    datagram.fill(0xee);
    const frame = encodeFrame(new Uint8Array(length).fill(this.counts.pushed));
    expect(dropped).toBe(this.model.push({ bytes: frame, pushedAt: this.now }, this.limits));
    this.counts.dropped += dropped;
  }

  write(bytesMax: number, part: number): void {
    const view = this.queue.peek(bytesMax);
    const unwritten = this.model.unwritten;
    expect(view.length > 0).toBe(unwritten.length > 0);
    expect(Buffer.compare(view, unwritten.subarray(0, view.length))).toBe(0);
    const headBytes = (this.model.queued[0]?.bytes.length ?? 0) - this.model.taken;
    expect(view.length).toBeLessThanOrEqual(Math.max(headBytes, bytesMax));

    const count = Math.ceil(view.length * part);
    this.stream.push(view.slice(0, count));
    const begun: number[] = [];
    const wholeBefore = this.model.whole;
    const framesDone = this.queue.consume(count, (pushedAt) => begun.push(pushedAt));
    const done = this.model.consume(count);
    expect(framesDone).toBe(done.length);
    const begunCount = wholeBefore.length - this.model.whole.length;
    expect(begun).toEqual(wholeBefore.slice(0, begunCount).map((frame) => frame.pushedAt));
    this.counts.written += framesDone;
    this.writtenToStream.push(...done.map(({ bytes }) => bytes.subarray(2).toHex()));
  }

  dropOldest(): void {
    const dropped = this.queue.dropOldest();
    expect(dropped).toBe(this.model.dropOldest());
    if (dropped) this.counts.dropped++;
  }

  dropPushedBefore(age: number): void {
    const time = this.now - age;
    const dropped = this.queue.dropPushedBefore(time);
    const old = this.model.whole.filter((frame) => frame.pushedAt < time).length;
    expect(dropped).toBe(old);
    for (let count = 0; count < old; count++) this.model.dropOldest();
    this.counts.dropped += dropped;
  }

  startStream(): void {
    expect(decoded(this.stream)).toEqual(this.writtenToStream);
    const lost = this.queue.startStream();
    expect(lost).toBe(this.model.startStream());
    this.counts.lost += lost;
    this.stream = [];
    this.writtenToStream = [];
  }

  restartAges(): void {
    this.queue.restartAges(this.now);
    for (const frame of this.model.whole) frame.pushedAt = this.now;
  }

  shrink(): void {
    this.queue.shrink();
  }

  /** Writes all queued frames and ends the stream: it must hold complete frames. */
  finish(): void {
    while (this.model.queued.length > 0) {
      this.write(Infinity, 1);
      this.compare();
    }
    this.startStream();
    expect(this.counts.lost + this.counts.written + this.counts.dropped).toBe(this.counts.pushed);
  }

  compare(): void {
    const { queue, model, counts, limits } = this;
    queue.invariants();
    expect(queue.frames).toBe(model.queued.length);
    expect(queue.bytes).toBe(model.unwritten.length);
    expect(queue.oldestPushedAt).toBe(model.whole[0]?.pushedAt ?? Infinity);
    expect(counts.written + counts.dropped + counts.lost + queue.frames).toBe(counts.pushed);
    expect(queue.capacityBytes).toBeLessThan(2 * limits.bytesMax);
    expect(Math.log2(queue.capacityBytes) % 1).toBe(0);
    const wholeBytes = model.whole.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(wholeBytes).toBeLessThanOrEqual(Math.min(queue.capacityBytes, limits.bytesMax));
  }
}

const length = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 1500 }) },
  { weight: 4, arbitrary: fc.integer({ min: 9000, max: 40_000 }) },
  { weight: 1, arbitrary: fc.constant(PAYLOAD_BYTES_MAX) },
);
const bytesMax = fc.oneof(fc.constant(Infinity), fc.nat(5000), fc.nat(100_000));
const part = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));

type Operation = { weight: number; arbitrary: fc.Arbitrary<[name: string, run: (pair: Pair) => void]> };
const operations: Operation[] = [
  {
    weight: 10,
    arbitrary: fc
      .tuple(length, fc.nat(5))
      .map(([bytes, later]) => [`push(${bytes}, +${later})`, (pair) => pair.push(bytes, later)]),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(bytesMax, part)
      .map(([max, share]) => [`write(${max}, ${share})`, (pair) => pair.write(max, share)]),
  },
  { weight: 2, arbitrary: fc.constant(["dropOldest", (pair) => pair.dropOldest()]) },
  {
    weight: 1,
    arbitrary: fc.nat(20).map((age) => [`dropPushedBefore(-${age})`, (pair) => pair.dropPushedBefore(age)]),
  },
  { weight: 1, arbitrary: fc.constant(["startStream", (pair) => pair.startStream()]) },
  { weight: 1, arbitrary: fc.constant(["restartAges", (pair) => pair.restartAges()]) },
  { weight: 1, arbitrary: fc.constant(["shrink", (pair) => pair.shrink()]) },
];

const limits = fc.record({
  bytesMax: fc.oneof(fc.constantFrom(65_537, 131_072), fc.integer({ min: 65_537, max: 200_000 })),
  framesMax: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Infinity)),
  bytesInitial: fc.constantFrom(0, 1, 100, 5000, 65_537, 1_000_000),
});

test("the queue behaves as an array of frames under random operations", () => {
  fc.assert(
    fc.property(
      limits,
      fc.array(fc.oneof(...operations), { maxLength: 120, size: "max" }),
      (queueLimits, steps) => {
        const pair = new Pair(queueLimits);
        for (const [, run] of steps) {
          run(pair);
          pair.compare();
        }
        pair.finish();
        pair.compare();
      },
    ),
    { numRuns: 300 },
  );
});
