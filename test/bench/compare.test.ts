import { expect, test } from "bun:test";
import { compareResults } from "../../bench/e2e/compare.ts";
import { GENERATOR_SLOW, OFFERED_TOO_LITTLE, SINK_SLOW } from "../../bench/e2e/instrument-limits.ts";
import { commandOf, type Results } from "../../bench/e2e/results.ts";
import type { Sample } from "../../bench/e2e/scenario.ts";
import { SCENARIOS } from "../../bench/e2e/scenarios/index.ts";
import { highestRates, summarize } from "../../bench/e2e/statistics.ts";
import { formatTables } from "../../bench/e2e/table.ts";

function results(delivered: number[], failed?: string): Results {
  const cell = { scenario: "flood", relay: "ours", size: 172, rate: 1000 };
  return {
    format: "udptunnel-bench-1",
    date: "2001-01-01T00:00:00Z",
    machine: { cpu: "any", cores: 2, memoryBytes: 1, arch: "x64" },
    loadBefore: 0,
    kernel: "1",
    bun: "1",
    commit: "abc",
    limits: {},
    plan: {} as Results["plan"],
    leftOut: [],
    samples: failed
      ? [{ ...cell, repeat: 0, failed }]
      : delivered.map((value, repeat) => ({ ...cell, repeat, values: { delivered: value } })),
  };
}

test("a loss beyond the spread is a regression", () => {
  expect(compareResults(results([100, 105, 95]), results([70, 71, 72])).regressions).toBe(1);
});

test("overlapping ranges are not a regression, and neither is an improvement", () => {
  expect(compareResults(results([100, 60, 110]), results([70, 71, 72])).regressions).toBe(0);
  expect(compareResults(results([70]), results([100])).regressions).toBe(0);
});

test("a difference within noise is not a regression, even when the repeats agree", () => {
  expect(compareResults(results([100, 100]), results([95, 95])).regressions).toBe(0);
});

test("a failed cell is a regression, and so are results without a common cell", () => {
  expect(compareResults(results([100]), results([], "died")).regressions).toBe(1);
  expect(compareResults({ ...results([1]), samples: [] }, results([100])).regressions).toBe(1);
});

test("a row is the median of its repeats, with lowest and highest", () => {
  const [row] = summarize(results([3, 1, 10]).samples);
  expect(row).toMatchObject({ runs: 3, values: { delivered: { median: 3, min: 1, max: 10 } } });
  const [even] = summarize(results([1, 2, 3, 10]).samples);
  expect(even).toMatchObject({ values: { delivered: { median: 2.5 } } });
});

/** A sweep with the losses of the repeats at each rate. */
function swept(losses: Record<number, number[]>, notes: string[] = []): Sample[] {
  return Object.entries(losses).flatMap(([rate, repeats]) =>
    repeats.map((loss, repeat) => {
      const cell = { scenario: "rate", relay: "ours", size: 172, rate: Number(rate), repeat };
      return { ...cell, values: { loss }, notes };
    }),
  );
}

const highestOf = (samples: Sample[]) => highestRates(summarize(samples));

test("the highest rate is the last at which every repeat lost at most 0.1 %", () => {
  expect(highestOf(swept({ 1000: [0, 0, 0.1], 2000: [0, 0, 0.2], 3000: [5, 5, 5] }))).toEqual([
    { relay: "ours", size: 172, rate: 1000, lowerBound: false },
  ]);
});

test("a failed repeat is a loss", () => {
  const failed = { scenario: "rate", relay: "ours", size: 172, rate: 2000, repeat: 1, failed: "died" };
  expect(highestOf([...swept({ 1000: [0], 2000: [0] }), failed])).toMatchObject([
    { rate: 1000, lowerBound: false },
  ]);
});

test("the highest rate is a lower bound at the end of a sweep, and where the generator was the limit", () => {
  const carried = swept({ 1000: [0], 2000: [0] });
  expect(highestOf(carried)).toMatchObject([{ rate: 2000, lowerBound: true }]);
  const limited = swept({ 3000: [0, 9] }, [GENERATOR_SLOW]);
  expect(highestOf([...carried, ...limited])).toMatchObject([{ rate: 2000, lowerBound: true }]);
  expect(highestOf([...carried, ...limited, ...swept({ 4000: [9] })])).toMatchObject([
    { rate: 2000, lowerBound: false },
  ]);
  expect(formatTables(SCENARIOS, summarize(carried), [])).toContain(">= 2,000/s");
  expect(formatTables(SCENARIOS, summarize(limited), [])).toContain("not known");
});

test("repeats that generator or sink limited do not count, unless there are no others", () => {
  const [mixed] = summarize([...swept({ 1000: [0, 0] }), ...swept({ 1000: [50] }, [SINK_SLOW])]);
  expect(mixed).toMatchObject({ runs: 2, values: { loss: { max: 0 } }, worthless: false });
  expect(mixed?.notes).toEqual([`1 repeat left out: ${SINK_SLOW}`]);
  const limited = summarize(swept({ 1000: [50] }, [SINK_SLOW]));
  expect(limited).toMatchObject([{ runs: 1, values: { loss: { max: 50 } }, worthless: true }]);
  expect(formatTables(SCENARIOS, limited, [])).toMatch(/ours \(!\) .* 50\.00[\s\S]*\(!\) generator or sink/);
});

test("throughput is a lower bound when the generator offered less than twice as much", () => {
  const { samples } = results([1000]);
  const limited = samples.map((sample) => ({ ...sample, notes: [OFFERED_TOO_LITTLE] }));
  expect(formatTables(SCENARIOS, summarize(limited), [])).toContain(">= 1,000");
  expect(formatTables(SCENARIOS, summarize(samples), [])).not.toContain(">=");
});

test("rows that generator or sink limited are not compared", () => {
  const limited = results([70]);
  limited.samples = limited.samples.map((sample) => ({ ...sample, notes: [GENERATOR_SLOW] }));
  expect(compareResults(results([100]), limited).text).toContain("no cell in common");
});

test("a table shows failures with their reason", () => {
  const text = formatTables(SCENARIOS, summarize(results([], "server (status 3): no more").samples), [
    "mullvad: not found",
  ]);
  expect(text).toContain("failed: server (status 3): no more (ours 172 B 1,000/s)");
  expect(text).toContain("mullvad: not found");
});

test("the command of a result is its command line; an old result has none", () => {
  const words = ["--plan", "full", "--only", "flood,rate", "--peer-client", "it's -c {tcp}"];
  expect(commandOf({ ...results([1]), arguments: words })).toBe(
    "bun run bench:full --only flood,rate --peer-client 'it'\\''s -c {tcp}'",
  );
  expect(commandOf({ ...results([1]), arguments: [] })).toBe("bun run bench");
  expect(commandOf(results([1]))).toBeUndefined();
});
