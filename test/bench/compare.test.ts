import { expect, test } from "bun:test";
import { compareResults } from "../../bench/e2e/compare.ts";
import { commandOf, type Results } from "../../bench/e2e/results.ts";
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

test("the highest rate is the last with at most 0.1 % loss", () => {
  const rows = summarize(
    [
      [1000, 0],
      [2000, 0.1],
      [3000, 0.2],
    ].map(([rate, loss]) => ({
      scenario: "rate",
      relay: "ours",
      size: 172,
      rate,
      repeat: 0,
      values: { loss: loss ?? 0 },
    })),
  );
  expect(highestRates(rows)).toEqual([{ relay: "ours", size: 172, rate: 2000, triedUpTo: 3000 }]);
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
