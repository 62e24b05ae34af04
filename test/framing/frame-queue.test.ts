import { describe, expect, test } from "bun:test";
import { FrameQueue } from "../../src/framing/index.ts";
import { decoded } from "./decoded.ts";

const BYTES_MAX = 65_537;
const bytes = (hex: string) => Uint8Array.fromHex(hex);
const limits = { bytesMax: BYTES_MAX, framesMax: 1000 };

/** The bytes of a stream that takes everything, as hex. */
function writeAll(queue: FrameQueue): string {
  let stream = "";
  while (queue.bytes > 0) {
    const view = queue.peek();
    stream += view.toHex();
    queue.consume(view.length);
  }
  return stream;
}

describe("push, peek and consume", () => {
  test("frames are written in order, each after its header", () => {
    const queue = new FrameQueue(limits);
    for (const payload of ["61", "", "6263"]) expect(queue.push(bytes(payload), 1)).toBe(0);
    expect([queue.frames, queue.bytes]).toEqual([3, 9]);
    expect(queue.peek().toHex()).toBe("000161000000026263");
    expect(queue.consume(9)).toBe(3);
    expect([queue.frames, queue.bytes, queue.peek().length]).toEqual([0, 0, 0]);
  });

  test.each([
    [0, "0000"],
    [255, "00ff"],
    [256, "0100"],
    [65_535, "ffff"],
  ])("%d bytes follow the header %p", (length, header) => {
    const queue = new FrameQueue({ ...limits, bytesInitial: 0 });
    queue.push(new Uint8Array(length).fill(0x5a), 1);
    expect(writeAll(queue)).toBe(header + "5a".repeat(length));
  });

  test("refuses a datagram that no header can announce, and does not change", () => {
    const queue = new FrameQueue(limits);
    expect(() => queue.push(new Uint8Array(65_536), 1)).toThrow(RangeError);
    expect([queue.frames, queue.bytes]).toEqual([0, 0]);
  });

  test("peek returns whole frames up to its limit, and always the first", () => {
    const queue = new FrameQueue(limits);
    for (const payload of ["6162", "63", "64"]) queue.push(bytes(payload), 1);
    expect([0, 3, 4, 6, 7, 9, 10].map((bound) => queue.peek(bound).length)).toEqual([4, 4, 4, 4, 7, 7, 10]);
    queue.consume(1);
    expect([0, 2, 3, 5, 6, 8, 9].map((bound) => queue.peek(bound).length)).toEqual([3, 3, 3, 3, 6, 6, 9]);
  });

  test("consume returns how many frames are complete, and reports the push time of each frame begun", () => {
    const queue = new FrameQueue(limits);
    queue.push(bytes("61"), 10);
    queue.push(bytes("62"), 20);
    queue.push(bytes("63"), 30);
    const begun: number[] = [];
    const done = [1, 2, 4, 2].map((count) => queue.consume(count, (pushedAt) => begun.push(pushedAt)));
    expect(done).toEqual([0, 1, 1, 1]);
    expect(begun).toEqual([10, 20, 30]);
  });

  test.each([-1, 4, Number.NaN])("consume(%d) of 3 queued bytes is refused and changes nothing", (count) => {
    const queue = new FrameQueue(limits);
    queue.push(bytes("61"), 1);
    expect(() => queue.consume(count)).toThrow(RangeError);
    expect(writeAll(queue)).toBe("000161");
  });
});

describe("dropping", () => {
  test("a full queue drops the oldest frames, by bytes and by frames", () => {
    const byBytes = new FrameQueue(limits);
    byBytes.push(new Uint8Array(30_000), 1);
    byBytes.push(new Uint8Array(30_000), 2);
    expect(byBytes.push(new Uint8Array(65_535), 3)).toBe(2);
    expect([byBytes.frames, byBytes.bytes, byBytes.oldestPushedAt]).toEqual([1, BYTES_MAX, 3]);

    const byFrames = new FrameQueue({ ...limits, framesMax: 2 });
    expect(["61", "62", "63", "64"].map((payload) => byFrames.push(bytes(payload), 1))).toEqual([0, 0, 1, 1]);
    expect(writeAll(byFrames)).toBe("000163000164");
  });

  test("a partly written frame stays when all frames behind it are dropped", () => {
    const queue = new FrameQueue(limits);
    for (const payload of ["6162", "63", "64"]) queue.push(bytes(payload), 1);
    queue.consume(1);
    expect([queue.dropOldest(), queue.dropOldest(), queue.dropOldest()]).toEqual([true, true, false]);
    queue.push(bytes("65"), 2);
    expect([queue.frames, queue.bytes, queue.oldestPushedAt]).toEqual([2, 6, 2]);
    expect(queue.peek().toHex()).toBe("026162");
    expect([queue.consume(2), queue.consume(1)]).toEqual([0, 1]);
    expect(writeAll(queue)).toBe("000165");
  });

  test("dropPushedBefore drops exactly the frames pushed before that time", () => {
    const queue = new FrameQueue(limits);
    for (const time of [10, 20, 30]) queue.push(Uint8Array.of(time), time);
    expect([queue.dropPushedBefore(10), queue.oldestPushedAt]).toEqual([0, 10]);
    expect([queue.dropPushedBefore(30), queue.oldestPushedAt]).toEqual([2, 30]);
    expect([queue.dropPushedBefore(Infinity), queue.oldestPushedAt]).toEqual([1, Infinity]);
  });

  test("a new stream loses only the partly written frame", () => {
    const queue = new FrameQueue(limits);
    for (const payload of ["6162", "63"]) queue.push(bytes(payload), 1);
    expect(queue.startStream()).toBe(0);
    queue.consume(3);
    expect(queue.startStream()).toBe(1);
    expect(queue.startStream()).toBe(0);
    expect(writeAll(queue)).toBe("000163");
  });

  test("a new stream also loses a partly written frame that was set aside", () => {
    const queue = new FrameQueue(limits);
    for (const payload of ["6162", "63", "64"]) queue.push(bytes(payload), 1);
    queue.consume(3);
    queue.dropOldest();
    expect(queue.startStream()).toBe(1);
    expect(writeAll(queue)).toBe("000164");
  });
});

describe("limits", () => {
  test.each([
    ["bytesMax", 65_536],
    ["bytesMax", Number.NaN],
    ["bytesMax", 2 ** 30 + 1],
    ["framesMax", 0],
    ["framesMax", Number.NaN],
    ["bytesInitial", -1],
    ["bytesInitial", Number.NaN],
  ])("%s %d is refused", (name, value) => {
    expect(() => new FrameQueue({ ...limits, [name]: value })).toThrow(name);
  });

  test("the limits do not apply to a partly written frame, and the ring does not grow for it", () => {
    const queue = new FrameQueue({ bytesMax: BYTES_MAX, framesMax: 1 });
    const before = queue.capacityBytes;
    queue.push(new Uint8Array(65_535).fill(1), 1);
    queue.consume(1);
    expect(queue.push(new Uint8Array(65_535).fill(2), 2)).toBe(0);
    expect([queue.frames, queue.bytes]).toEqual([2, 2 * BYTES_MAX - 1]);
    expect(queue.push(new Uint8Array(65_535).fill(3), 3)).toBe(1);
    expect(queue.capacityBytes).toBe(before);
    expect(writeAll(queue)).toBe(`ff${"01".repeat(65_535)}ffff${"03".repeat(65_535)}`);
  });

  test("the ring grows from nothing by doubling, to the power of two at bytesMax, and shrinks back", () => {
    const queue = new FrameQueue({ bytesMax: 100_000, framesMax: Infinity, bytesInitial: 0 });
    const capacities = new Set([queue.capacityBytes]);
    for (let count = 0; count < 40_000; count++) {
      queue.push(Uint8Array.of(count), count);
      capacities.add(queue.capacityBytes);
    }
    expect([...capacities]).toEqual([1, ...Array.from({ length: 16 }, (_, index) => 2 ** (index + 2))]);
    expect([queue.frames, queue.bytes]).toEqual([33_333, 99_999]);
    queue.shrink();
    expect(queue.capacityBytes).toBe(131_072);
    queue.consume(queue.peek().length);
    queue.consume(queue.peek().length);
    queue.shrink();
    expect(queue.capacityBytes).toBe(1);
    for (const time of [1, 2, 3]) queue.push(Uint8Array.of(time), time);
    expect(queue.oldestPushedAt).toBe(1);
    expect(writeAll(queue)).toBe("000101000102000103");
  });

  test("the push times keep their order when their array grows", () => {
    const queue = new FrameQueue({ bytesMax: 1_000_000, framesMax: Infinity });
    for (let time = 0; time < 20_000; time++) queue.push(new Uint8Array(0), time);
    for (let time = 0; time < 20_000; time++) {
      expect(queue.oldestPushedAt).toBe(time);
      queue.consume(2);
    }
  });
});

test("positions beyond 2^32 map to the right places in the ring", () => {
  const queue = new FrameQueue(limits);
  const datagram = new Uint8Array(65_535);
  const through = Math.ceil(2 ** 32 / BYTES_MAX);
  let written = 0;
  for (let count = 0; count < through; count++) {
    // Around 2^31 and 2^32 every byte is checked. Between them the positions only have to grow.
    const checked = Math.abs(written - 2 ** 31) < 3 * BYTES_MAX || written > 2 ** 32 - 3 * BYTES_MAX;
    datagram[0] = count;
    datagram[65_534] = count + 1;
    queue.push(datagram, count);
    const stream = new Uint8Array(BYTES_MAX);
    let filled = 0;
    while (queue.bytes > 0) {
      const view = queue.peek();
      if (checked) stream.set(view, filled);
      filled += view.length;
      queue.consume(view.length);
    }
    written += filled;
    if (checked) expect(decoded([stream])).toEqual([datagram.toHex()]);
  }
  expect(written).toBeGreaterThan(2 ** 32);
});
