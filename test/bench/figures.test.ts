import { expect, test } from "bun:test";
import { figures } from "../../bench/e2e/figures.ts";
import { GENERATOR_SLOW, OFFERED_TOO_LITTLE, SINK_SLOW } from "../../bench/e2e/instrument-limits.ts";
import type { Results } from "../../bench/e2e/results.ts";
import type { Sample } from "../../bench/e2e/scenario.ts";

function results(date: string, loadBefore: number, samples: Sample[]): Results {
  return {
    ...{
      format: "udptunnel-bench-1",
      date,
      loadBefore,
      kernel: "6.1",
      bun: "1.4.5",
      commit: "abc",
      limits: {},
    },
    machine: { cpu: "any", cores: 2, memoryBytes: 1, arch: "x64" },
    ...{ plan: {} as Results["plan"], arguments: [], leftOut: [], samples },
  };
}

function flooded(relay: string, size: number, ...delivered: number[]): Sample[] {
  const cell = { scenario: "flood", relay, size, rate: 450_000 };
  return delivered.map((value, repeat) => ({ ...cell, repeat, values: { delivered: value, cpuUs: 2.345 } }));
}

function lost(relay: string, rate: number, loss: number): Sample {
  return { scenario: "rate", relay, size: 172, rate, repeat: 0, values: { loss } };
}

const OLD = results("2001-01-01T00:00:00Z", 0.4, [
  ...flooded("ours", 172, 1),
  ...flooded("original", 172, 100_000),
  lost("ours", 1000, 0),
  lost("ours", 2000, 0.2),
  { ...lost("ours", 1000, 5), size: 1200 },
  lost("original", 1000, 5),
  { ...lost("original", 1000, 5), size: 1200 },
]);
const NEW = results("2001-02-03T00:00:00Z", 0, [
  ...flooded("ours", 172, 300_000, 123_456, 200),
  ...flooded("ours", 1200, 90_000, 90_000),
  { scenario: "memory", relay: "original", size: 172, repeat: 0, failed: "died" },
  ...["ours", "original"].map((relay) => ({
    ...{ scenario: "slow-link", relay, detail: "through 2 Mbit/s", repeat: 0 },
    values: { p50Ms: 46.04, p99Ms: 1234.5 },
  })),
  { scenario: "timers", relay: "ours", size: 172, repeat: 0, values: { clientP99Ms: 7.89 } },
  ...["alone", "beside another"].map((detail, index) => ({
    ...{ scenario: "neighbours", relay: "ours", detail, repeat: 0 },
    values: { tripP50Us: 100 * index, tripP99Us: 900 },
  })),
]);

test("the table has the newest medians of each relay, a dash for missing ones, and no empty lines", () => {
  const [table] = figures([
    { name: "old", results: OLD },
    { name: "new", results: NEW },
  ]).split("\n\n");
  expect(table?.split("\n")).toEqual([
    "|  | udptunnel | the original |",
    "| --- | ---: | ---: |",
    "| carried when flooded, 172 / 1,200 bytes | 123,000 / 90,000/s | 100,000 / -/s |",
    "| highest rate tried with at most 0.1 % lost in every repeat, 172 / 1,200 bytes | 1,000/s / none | none |",
    "| CPU for a datagram when flooded, both ends, 172 / 1,200 bytes | 2.35 / 2.35 us | 2.35 / - us |",
    "| how late a 5 ms timer is in the flooded client (99 %), 172 / 1,200 bytes | 7.89 / - ms | - |",
    "| round trip of a quiet session alone | 0 / 900 us | - |",
    "| round trip of a quiet session beside another | 100 / 900 us | - |",
    "| delay through 2 Mbit/s, overloaded | 46 / 1,230 ms | 46 / 1,230 ms |",
  ]);
});

test("delay and cost in the first second and in the settled state have rows of their own", () => {
  const cell = { scenario: "latency", relay: "ours", size: 172, rate: 1000, repeat: 0 };
  const [table] = figures([
    {
      name: "any",
      results: results("2001-01-01T00:00:00Z", 0, [
        { ...cell, detail: "first second", values: { p50Us: 90, p99Us: 900, cpuUs: 100 } },
        { ...cell, detail: "settled, 10 s to 20 s", values: { p50Us: 60, p99Us: 70, cpuUs: 50 } },
        { ...cell, detail: "first 20 s", values: { p50Us: 7, p99Us: 7, cpuUs: 7 } },
        { ...cell, rate: 20_000, values: { p50Us: 1, p99Us: 2, cpuUs: 3 } },
      ]),
    },
  ]).split("\n\n");
  expect(table?.split("\n").slice(2)).toEqual([
    "| delay at 1,000 datagrams/s, first second | 90 / 900 us |",
    "| CPU for a datagram at 1,000 datagrams/s, first second | 100 us |",
    "| delay at 1,000 datagrams/s, settled, 10 s to 20 s | 60 / 70 us |",
    "| CPU for a datagram at 1,000 datagrams/s, settled, 10 s to 20 s | 50 us |",
  ]);
});

test("bursts, WireGuard and 1,000 sources have rows; a sweep of sessions does not", () => {
  const cell = { relay: "udp-over-tcp", repeat: 0 };
  const burst = { ...cell, scenario: "burst", values: { p50Us: 90, p99Us: 900, cpuUs: 100 } };
  const sessions = { ...cell, scenario: "sessions", values: { firstP50Ms: 30, firstP99Ms: 60 } };
  const samples = [
    { ...burst, detail: "first second" },
    { ...cell, scenario: "wireguard", values: { startedMs: 1.7, settledMs: 0.9, mbits: 512 } },
    { ...sessions, detail: "100 sessions", values: { firstP50Ms: 1, firstP99Ms: 2 } },
    { ...sessions, detail: "1000 sessions" },
  ];
  const [table] = figures([{ name: "any", results: results("2001-01-01T00:00:00Z", 0, samples) }]).split(
    "\n\n",
  );
  expect(table?.split("\n")).toEqual([
    "|  | `udp-over-tcp` |",
    "| --- | ---: |",
    "| delay in bursts of 64, first second | 90 / 900 us |",
    "| CPU for a datagram in bursts of 64, first second | 100 us |",
    "| ping through WireGuard (median), just started / after iperf3 | 1.7 / 0.9 ms |",
    "| iperf3 through WireGuard | 512 Mbit/s |",
    "| first answer when 1,000 sources start at once | 30 / 60 ms |",
  ]);
});

test("below the table, each result has its file, run and repeats", () => {
  const [, origins] = figures([
    { name: "old", results: OLD },
    { name: "new", results: NEW },
  ]).split("\n\n");
  const [newer, older] = origins?.split("\n") ?? [];
  expect(older).toEndWith("1 repeat.");
  expect(newer).toBe(
    "- [new](bench/results/new/README.md): 2001-02-03, commit abc, 2 cores of any, Linux 6.1, Bun 1.4.5, 1 to 3 repeats.",
  );
});

test("a result of a busy machine is not used, and listed with the reason", () => {
  const busy = results("2003-01-01T00:00:00Z", 1.26, flooded("ours", 172, 999_000));
  const [table, origins] = figures([
    { name: "busy", results: busy },
    { name: "old", results: OLD },
  ]).split("\n\n");
  expect(table).not.toContain("999,000");
  expect(table).toContain("172 bytes | 1/s | 100,000/s |");
  expect(origins?.split("\n")[1]).toBe(
    "- [busy](bench/results/busy/README.md): not used. This machine was busy before the run (load 1.3): its figures are worth little.",
  );
});

const noted = (note: string, samples: Sample[]) => samples.map((sample) => ({ ...sample, notes: [note] }));

test("repeats that generator or sink limited are not used; an older result of the cell is", () => {
  const limited = results("2003-01-01T00:00:00Z", 0, [
    ...noted(GENERATOR_SLOW, flooded("original", 172, 999_000)),
    ...noted(SINK_SLOW, flooded("ours", 172, 888_000)),
    ...noted(GENERATOR_SLOW, [lost("ours", 5000, 0)]),
    ...flooded("ours", 172, 222_000),
  ]);
  const [table, origins] = figures([
    { name: "limited", results: limited },
    { name: "old", results: { ...OLD, samples: OLD.samples.filter(({ size }) => size === 172) } },
  ]).split("\n\n");
  expect(table?.split("\n").slice(2, 4)).toEqual([
    "| carried when flooded, 172 bytes | 222,000/s | 100,000/s |",
    "| highest rate tried with at most 0.1 % lost in every repeat, 172 bytes | 1,000/s | none |",
  ]);
  expect(origins).toContain("Measurements left out because generator or sink limited them: 3.");
});

test.each([OFFERED_TOO_LITTLE, "offered less than twice what was carried: the generator's limit"])(
  "throughput with the note %p is a lower bound, and so is a sweep whose end was carried",
  (note) => {
    const samples = [...noted(note, flooded("ours", 172, 441_000)), lost("ours", 250_000, 0.1)];
    const [table] = figures([{ name: "any", results: results("2001-01-01T00:00:00Z", 0, samples) }]).split(
      "\n\n",
    );
    expect(table?.split("\n").slice(2, 4)).toEqual([
      "| carried when flooded, 172 bytes | >= 441,000/s |",
      "| highest rate tried with at most 0.1 % lost in every repeat, 172 bytes | >= 250,000/s |",
    ]);
  },
);

test("a result whose cells are all in newer results is not listed", () => {
  const copy = { ...OLD, date: "2000-01-01T00:00:00Z" };
  expect(
    figures([
      { name: "oldest", results: copy },
      { name: "old", results: OLD },
    ]),
  ).not.toContain("oldest");
});
