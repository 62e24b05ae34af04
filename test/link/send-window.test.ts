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

/** A window that has watched a path carry `bytesPerMs` for a while, its round trip as given. */
function watched(
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

describe("what a path carries", () => {
  test("is what was delivered, over 40 ms or a round trip", () => {
    const rate = new PathRate();
    for (let now = 0; now <= 40; now += 10) rate.observe(now * 250, 5, now);
    expect(rate.bytesPerMs).toBe(250);
  });

  test("is the highest of five measurements, so that lumps and pauses do not count", () => {
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

  test("is not judged by a time in which there was nothing to send, unless it was higher", () => {
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

  test("is not judged by a time in which nobody looked", () => {
    const rate = new PathRate();
    for (let now = 0; now <= 400; now += 10) rate.observe(now * 250, 5, now);
    rate.observe(400 * 250 + 1, 5, 5000);
    expect(rate.bytesPerMs).toBe(250);
  });

  test("is not judged by an interruption, however long", () => {
    const rate = new PathRate();
    for (let now = 0; now <= 400; now += 10) rate.observe(now * 250, 5, now);
    for (let now = 410; now <= 2000; now += 10) rate.observe(400 * 250, 5, now);
    rate.observe(440 * 250, 5, 2010);
    expect(rate.bytesPerMs).toBe(250);
  });
});

describe("the send window", () => {
  test("knows no bound where the kernel says nothing", () => {
    expect(new SendWindow(4096, true).room(undefined, 0)).toBe(Infinity);
  });

  test("bounds what the kernel holds unsent, by 16 KiB at first", () => {
    const window = new SendWindow(undefined, true);
    expect(window.room(gauge({}), 0)).toBe(16_384);
    expect(window.room(gauge({ unsentBytes: 10_000 }), 0)).toBe(6384);
    expect(window.room(gauge({ unsentBytes: 16_384, inFlightBytes: 1 }), 0)).toBe(0);
  });

  test("bounds unsent bytes by what is asked for", () => {
    expect(new SendWindow(4096, true).room(gauge({ unsentBytes: 1000 }), 0)).toBe(3096);
  });

  test("lets unsent bytes last 10 ms where the path carries more", () => {
    const window = watched(5000, 1, 1);
    expect(window.room(gauge({ deliveredBytes: 5_000_000 }), 1000)).toBe(50_000);
  });

  test("leaves what is in flight alone until the path has been seen full", () => {
    const window = watched(2500, 60, 50); // 10 ms above the least: no queue to speak of
    expect(window.room(gauge({ inFlightBytes: 1e9, rttMs: 60, minRttMs: 50 }), 1000)).toBeGreaterThan(0);
  });

  test("then bounds it by what the path carries in its least round trip and 20 ms", () => {
    const window = watched(2500, 75, 50);
    const path = 2500 * 70;
    expect(window.room(gauge({ inFlightBytes: path - 5000, rttMs: 75, minRttMs: 50 }), 1000)).toBe(5000);
    expect(window.room(gauge({ inFlightBytes: path, rttMs: 75, minRttMs: 50 }), 1000)).toBe(0);
    // Also when the queue is gone again: it is the bound that keeps it away.
    expect(window.room(gauge({ inFlightBytes: path, rttMs: 50, minRttMs: 50 }), 1000)).toBe(0);
  });

  test("or a quarter of the round trip, on a long path", () => {
    const window = watched(6000, 260, 200);
    expect(window.room(gauge({ inFlightBytes: 6000 * 250 - 3000, rttMs: 260, minRttMs: 200 }), 1000)).toBe(
      3000,
    );
  });

  test("has room for two segments more than a slow path holds", () => {
    const window = watched(1, 60, 1);
    expect(window.room(gauge({ inFlightBytes: 0, rttMs: 60 }), 1000)).toBe(1 + 2 * MSS);
  });

  test.each([50, 200])("fills a path of %d ms again that seemed to carry next to nothing", (minRttMs) => {
    const window = watched(1, minRttMs + 60, minRttMs);
    const underWay: { arrivesAt: number; bytes: number }[] = [];
    let deliveredBytes = 1000;
    let inFlightBytes = 0;
    for (let now = 1002; now < 30_000; now += 2) {
      while (underWay[0] && underWay[0].arrivesAt <= now) {
        const { bytes } = underWay.shift() as { bytes: number };
        deliveredBytes += bytes;
        inFlightBytes -= bytes;
      }
      const room = window.room(gauge({ rttMs: minRttMs + 1, minRttMs, deliveredBytes, inFlightBytes }), now);
      if (room <= 0) continue;
      const bytes = Math.max(1, Math.floor(room / FRAME_BYTES)) * FRAME_BYTES; // as the queue hands them out
      underWay.push({ arrivesAt: now + minRttMs + 2, bytes });
      inFlightBytes += bytes;
    }
    expect(inFlightBytes).toBeGreaterThan(100 * MSS);
  });

  test("does not write less than a segment while something is in flight, and huge segments do not count", () => {
    const window = new SendWindow(undefined, true);
    expect(window.room(gauge({ unsentBytes: 16_384 - 1447, inFlightBytes: 1 }), 0)).toBe(0);
    expect(window.room(gauge({ unsentBytes: 16_384 - 1448, inFlightBytes: 1 }), 0)).toBe(1448);
    expect(window.room(gauge({ unsentBytes: 16_384 - 100, inFlightBytes: 0 }), 0)).toBe(100);
    expect(window.room(gauge({ unsentBytes: 0, inFlightBytes: 1, mssBytes: 65_483 }), 0)).toBe(16_384);
  });

  test("does not bound what is in flight when asked not to", () => {
    const window = watched(2500, 75, 50, new SendWindow(undefined, false));
    expect(window.room(gauge({ inFlightBytes: 1e9, rttMs: 75, minRttMs: 50 }), 1000)).toBeGreaterThan(0);
  });

  test("has room when nothing is unacknowledged, whatever the other figures have drifted to", () => {
    const drifted = { inFlightBytes: 1e9, outstandingBytes: 1e9, unackedBytes: 0, deliveredBytes: 2_500_000 };
    for (const unsentBytesMax of [undefined, 4096]) {
      const window = watched(2500, 75, 50, new SendWindow(unsentBytesMax, true));
      for (const wrong of [{}, { unsentBytes: 1e9 }, { mssBytes: 0 }, { mssBytes: 65_483 }]) {
        expect(window.room(gauge({ ...drifted, rttMs: 75, minRttMs: 50, ...wrong }), 1000)).toBe(MSS);
      }
    }
  });

  test("knows nothing of the path of a new stream", () => {
    const window = watched(2500, 75, 50);
    window.reset();
    expect(window.room(gauge({ inFlightBytes: 1e9, rttMs: 75, minRttMs: 50 }), 1000)).toBe(16_384);
  });
});
