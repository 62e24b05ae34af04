import { expect, test } from "bun:test";
import {
  COUNTED,
  HEADER_BYTES,
  headerHolds,
  type Phase,
  patternPeriod,
  patternRing,
  TAIL,
  WARM_UP,
  writeHeader,
} from "../../bench/e2e/payload.ts";
import { PERCENTILES, Tally } from "../../bench/e2e/tally.ts";

const SIZE = 40;
const LATENCY_NS = 50_000;
const holds = () => true;

function payload(sequence: number, phase: Phase = COUNTED, source = 0, sentNs = 1e9): DataView {
  const view = new DataView(new ArrayBuffer(SIZE));
  writeHeader(view, 0, sequence, phase, source, sentNs, SIZE);
  return view;
}

function tallied(...payloads: DataView[]) {
  const tally = new Tally();
  for (const view of payloads) tally.add(view, 0, SIZE, 1e9 + LATENCY_NS, holds);
  return tally.report();
}

test("a part of the load has its own percentiles and count, and parts may overlap", () => {
  const tally = new Tally([
    { from: 0, to: 2 },
    { from: 2, to: 4 },
    { from: 0, to: 4 },
    { from: 9, to: 10 },
  ]);
  for (const [sequence, latencyNs] of [
    [0, 1000],
    [2, 3000],
    [1, 2000],
    [4, 5000],
  ] as const) {
    tally.add(payload(sequence), 0, SIZE, 1e9 + latencyNs, holds);
  }
  const { parts, received } = tally.report();
  expect(received).toBe(4);
  expect(parts.map(({ received, latencyUs }) => [received, latencyUs.at(0), latencyUs.at(-1)])).toEqual([
    [2, 1, 2],
    [1, 3, 3],
    [3, 1, 3],
    [0, undefined, undefined],
  ]);
});

test("counts each datagram once and measures its latency", () => {
  const report = tallied(payload(0), payload(1), payload(2));
  expect(report).toMatchObject({ received: 3, duplicates: 0, reordered: 0, corrupt: 0, sources: 1 });
  expect(report.latencyUs).toEqual(PERCENTILES.map(() => 50));
  expect(report.latencyAboveShortest).toBe(false);
});

test("distinguishes duplicates from late datagrams", () => {
  expect(tallied(payload(0), payload(2), payload(1), payload(2))).toMatchObject({
    received: 3,
    duplicates: 1,
    reordered: 1,
  });
});

test("order is checked per source", () => {
  expect(tallied(payload(5, COUNTED, 1), payload(3, COUNTED, 300), payload(6, COUNTED, 1))).toMatchObject({
    received: 3,
    reordered: 0,
    sources: 2,
  });
});

test("a flipped bit anywhere in the header is corruption", () => {
  for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
    const view = payload(7, COUNTED, 3);
    view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (1 << (bit & 7)));
    expect(headerHolds(view, 0, SIZE)).toBe(false);
  }
  expect(headerHolds(payload(7), 0, SIZE - 1)).toBe(false);
});

test("a wrong pattern is corruption", () => {
  const tally = new Tally();
  tally.add(payload(0), 0, SIZE, 2e9, () => false);
  expect(tally.report()).toMatchObject({ received: 0, corrupt: 1 });
});

test("the tail is counted by itself", () => {
  const tally = new Tally();
  tally.add(payload(0, WARM_UP), 0, SIZE, 2e9, holds);
  expect(tally.tail).toBe(0);
  tally.add(payload(0, TAIL), 0, SIZE, 2e9, holds);
  expect(tally.report()).toMatchObject({ received: 0, uncounted: 2, tail: 1, latencyUs: [] });
});

test("with the clocks of two hosts, latencies are relative to the shortest", () => {
  const tally = new Tally();
  tally.add(payload(0, COUNTED, 0, 900e9), 0, SIZE, 1e9, holds);
  tally.add(payload(1, COUNTED, 0, 900e9), 0, SIZE, 1e9 + 16e6, holds);
  const report = tally.report();
  expect(report.latencyAboveShortest).toBe(true);
  expect(report.latencyUs[0]).toBe(0);
  expect(Math.round(report.latencyUs.at(-1) ?? 0)).toBe(16_000);
});

test("much higher numbers are counted", () => {
  expect(tallied(payload(5_000_000), payload(5_000_000))).toMatchObject({ received: 1, duplicates: 1 });
});

test("patterns of neighbouring slots differ", () => {
  const ring = patternRing(SIZE);
  const bodies = new Set<string>();
  for (let slot = 0; slot < patternPeriod(SIZE); slot++) {
    bodies.add(Buffer.from(ring.subarray(slot * SIZE + HEADER_BYTES, (slot + 1) * SIZE)).toString("hex"));
  }
  expect(bodies.size).toBe(patternPeriod(SIZE));
});
