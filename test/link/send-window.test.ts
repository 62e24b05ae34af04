import { describe, expect, test } from "bun:test";
import { PathRate, SendWindow } from "../../src/link/send-window.ts";
import type { StreamGauge } from "../../src/net/stream-port.ts";

const MSS = 1448;
const FRAME_BYTES = 1202;

function gauge(values: Partial<StreamGauge>): StreamGauge {
  const quiet = {
    unackedBytes: (values.inFlightBytes ?? 0) + (values.unsentBytes ?? 0),
    inFlightBytes: 0,
    outstandingBytes: 0,
    unsentBytes: 0,
    mssBytes: MSS,
    rttMs: 1,
    minRttMs: 1,
    deliveredBytes: 0,
    retransmits: 0,
  };
  return { ...quiet, ...values };
}

/** A window that has measured a path of `bytesPerMs` and this round trip time. */
function measured(
  bytesPerMs: number,
  rttMs: number,
  minRttMs: number,
  window = new SendWindow(undefined, true),
): SendWindow {
  for (let now = 0; now <= 1000; now += 10) {
    window.room(gauge({ deliveredBytes: now * bytesPerMs, rttMs, minRttMs, inFlightBytes: MSS }), now);
  }
  return window;
}

describe("the rate of a path", () => {
  test("is the bytes delivered in 40 ms, or in one round trip if that is longer", () => {
    const rate = new PathRate();
    for (let now = 0; now <= 40; now += 10) rate.observe(now * 250, 5, now);
    expect(rate.bytesPerMs).toBe(250);
  });

  test("is the highest of five measurements, so that lumps and gaps do not lower it", () => {
    const rate = new PathRate();
    let delivered = 0;
    for (let now = 0; now <= 200; now += 10) {
      if (now % 80 === 0) delivered += 250 * 80;
      rate.observe(delivered, 5, now);
    }
    expect(rate.bytesPerMs).toBeGreaterThanOrEqual(250);
    const high = rate.bytesPerMs;
    for (let now = 210; now <= 210 + 40 * 8; now += 10) {
      delivered += 100 * 10;
      rate.observe(delivered, 5, now);
    }
    expect(rate.bytesPerMs).toBeLessThan(high);
    expect(rate.bytesPerMs).toBeCloseTo(100);
  });

  test("is not lowered by a measurement with an empty queue, but can be raised by it", () => {
    const rate = new PathRate();
    let delivered = 0;
    let now = 0;
    const pass = (bytesPerMs: number, idle: boolean) => {
      for (let step = 0; step < 4; step++) {
        now += 10;
        delivered += bytesPerMs * 10;
        if (idle) rate.onIdle();
        rate.observe(delivered, 5, now);
      }
    };
    for (let times = 0; times < 6; times++) pass(250, false);
    for (let times = 0; times < 20; times++) pass(10, true);
    expect(rate.bytesPerMs).toBe(250);
    for (let times = 0; times < 6; times++) pass(400, true);
    expect(rate.bytesPerMs).toBe(400);
  });

  test("is not lowered by a gap between observations", () => {
    const rate = new PathRate();
    for (let now = 0; now <= 400; now += 10) rate.observe(now * 250, 5, now);
    rate.observe(400 * 250 + 1, 5, 5000);
    expect(rate.bytesPerMs).toBe(250);
  });

  test("is not lowered by an interruption of the path", () => {
    const rate = new PathRate();
    for (let now = 0; now <= 400; now += 10) rate.observe(now * 250, 5, now);
    for (let now = 410; now <= 2000; now += 10) rate.observe(400 * 250, 5, now);
    rate.observe(440 * 250, 5, 2010);
    expect(rate.bytesPerMs).toBe(250);
  });
});

describe("the send window", () => {
  test("has no limit when the kernel reports no figures", () => {
    expect(new SendWindow(4096, true).room(undefined, 0)).toBe(Infinity);
  });

  test("limits unsent data in the kernel, to 16 KiB at first", () => {
    const window = new SendWindow(undefined, true);
    expect(window.room(gauge({}), 0)).toBe(16_384);
    expect(window.room(gauge({ unsentBytes: 10_000 }), 0)).toBe(6384);
    expect(window.room(gauge({ unsentBytes: 16_384, inFlightBytes: 1 }), 0)).toBe(0);
  });

  test("limits unsent data to `unsentBytesMax`", () => {
    expect(new SendWindow(4096, true).room(gauge({ unsentBytes: 1000 }), 0)).toBe(3096);
  });

  test("allows unsent data for 10 ms at the rate of the path", () => {
    const window = measured(5000, 1, 1);
    expect(window.room(gauge({ deliveredBytes: 5_000_000 }), 1000)).toBe(50_000);
  });

  test("does not limit data in flight before the path was full", () => {
    const window = measured(2500, 60, 50); // 10 ms above the least: not full
    expect(window.room(gauge({ inFlightBytes: 1e9, rttMs: 60, minRttMs: 50 }), 1000)).toBeGreaterThan(0);
  });

  test("limits it, once the path was full, to what the path carries in its least round trip time and 20 ms", () => {
    const window = measured(2500, 75, 50);
    const path = 2500 * 70;
    expect(window.room(gauge({ inFlightBytes: path - 5000, rttMs: 75, minRttMs: 50 }), 1000)).toBe(5000);
    expect(window.room(gauge({ inFlightBytes: path, rttMs: 75, minRttMs: 50 }), 1000)).toBe(0);
    // Also when the path is no longer full: the limit keeps it so.
    expect(window.room(gauge({ inFlightBytes: path, rttMs: 50, minRttMs: 50 }), 1000)).toBe(0);
  });

  test("on a long path, allows a quarter of the round trip time in place of the 20 ms", () => {
    const window = measured(6000, 260, 200);
    expect(window.room(gauge({ inFlightBytes: 6000 * 250 - 3000, rttMs: 260, minRttMs: 200 }), 1000)).toBe(
      3000,
    );
  });

  test("allows two segments more than a slow path holds", () => {
    const window = measured(1, 60, 1);
    expect(window.room(gauge({ inFlightBytes: 0, rttMs: 60 }), 1000)).toBe(1 + 2 * MSS);
  });

  test.each([50, 200])("fills a path of %d ms again after measuring a rate near zero", (minRttMs) => {
    const window = measured(1, minRttMs + 60, minRttMs);
    const inFlight: { arrivesAt: number; bytes: number }[] = [];
    let deliveredBytes = 1000;
    let inFlightBytes = 0;
    for (let now = 1002; now < 30_000; now += 2) {
      while (inFlight[0] && inFlight[0].arrivesAt <= now) {
        const { bytes } = inFlight.shift() as { bytes: number };
        deliveredBytes += bytes;
        inFlightBytes -= bytes;
      }
      const room = window.room(gauge({ rttMs: minRttMs + 1, minRttMs, deliveredBytes, inFlightBytes }), now);
      if (room <= 0) continue;
      const bytes = Math.max(1, Math.floor(room / FRAME_BYTES)) * FRAME_BYTES; // as the queue does
      inFlight.push({ arrivesAt: now + minRttMs + 2, bytes });
      inFlightBytes += bytes;
    }
    expect(inFlightBytes).toBeGreaterThan(100 * MSS);
  });

  test("writes less than a segment only when nothing is in flight; 1448 bytes do for larger segments", () => {
    const window = new SendWindow(undefined, true);
    expect(window.room(gauge({ unsentBytes: 16_384 - 1447, inFlightBytes: 1 }), 0)).toBe(0);
    expect(window.room(gauge({ unsentBytes: 16_384 - 1448, inFlightBytes: 1 }), 0)).toBe(1448);
    expect(window.room(gauge({ unsentBytes: 16_384 - 100, inFlightBytes: 0 }), 0)).toBe(100);
    expect(window.room(gauge({ unsentBytes: 0, inFlightBytes: 1, mssBytes: 65_483 }), 0)).toBe(16_384);
  });

  test("does not limit data in flight if the option is off", () => {
    const window = measured(2500, 75, 50, new SendWindow(undefined, false));
    expect(window.room(gauge({ inFlightBytes: 1e9, rttMs: 75, minRttMs: 50 }), 1000)).toBeGreaterThan(0);
  });

  test("has room when all data is acknowledged, even if the other figures are wrong", () => {
    const drifted = { inFlightBytes: 1e9, outstandingBytes: 1e9, unackedBytes: 0, deliveredBytes: 2_500_000 };
    for (const unsentBytesMax of [undefined, 4096]) {
      const window = measured(2500, 75, 50, new SendWindow(unsentBytesMax, true));
      for (const wrong of [{}, { unsentBytes: 1e9 }, { mssBytes: 0 }, { mssBytes: 65_483 }]) {
        expect(window.room(gauge({ ...drifted, rttMs: 75, minRttMs: 50, ...wrong }), 1000)).toBe(MSS);
      }
    }
  });

  test("allows what the last figures left, for 5 ms and for no other stream", () => {
    const window = new SendWindow(undefined, true);
    expect(window.allows(1, 0)).toBe(false);
    window.room(gauge({ unsentBytes: 6384 }), 10);
    expect([window.allows(10_000, 10), window.allows(10_001, 10)]).toEqual([true, false]);
    window.onWritten(9000);
    expect([window.allows(1000, 14.9), window.allows(1001, 14.9), window.allows(1, 15)]).toEqual([
      true,
      false,
      false,
    ]);
    window.reset();
    expect(window.allows(1, 14.9)).toBe(false);
    window.room(gauge({ unsentBytes: 16_384, inFlightBytes: 1 }), 20);
    expect(window.allows(1, 20)).toBe(false); // no room
    window.room(undefined, 20); // the kernel reports no figures
    expect(window.allows(1e9, 20)).toBe(true);
  });

  test("starts without measurements for a new stream", () => {
    const window = measured(2500, 75, 50);
    window.reset();
    expect(window.room(gauge({ inFlightBytes: 1e9, rttMs: 75, minRttMs: 50 }), 1000)).toBe(16_384);
  });
});
