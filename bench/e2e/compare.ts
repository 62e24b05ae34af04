/**
 * Compares two results: the second is worse when the ranges of the repeats do not overlap and the difference
 * is not noise.
 */

import type { Results } from "./results.ts";
import type { Column } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { cellOf, type Row, type Spread, summarize } from "./statistics.ts";
import { conditionsOf, formatSpread } from "./table.ts";

/** A smaller relative difference is noise, even with one repeat or with repeats that agree by chance. */
const NOISE = 0.1;
/** Absolute differences that do not matter, by unit: 0.05 % of loss, 20 us, 2 MB, 2 ms. */
const NEGLIGIBLE: Record<string, number> = { "%": 0.05, us: 20, MB: 2, ms: 2, "": 0 };

export interface Comparison {
  text: string;
  regressions: number;
}

/** Compares the cells that both results have, except those that generator or sink limited. */
export function compareResults(before: Results, after: Results): Comparison {
  const lines = [`A ${before.commit} ${before.date}`, `B ${after.commit} ${after.date}`];
  if (before.machine.cpu !== after.machine.cpu || before.kernel !== after.kernel) {
    lines.push("The machines or kernels differ: the figures are not comparable.");
  }
  const earlier = new Map(summarize(before.samples).map((row) => [cellOf(row), row]));
  let regressions = 0;
  let cells = 0;
  for (const row of summarize(after.samples)) {
    const old = earlier.get(cellOf(row));
    if (old === undefined || old.runs === 0 || old.worthless || row.worthless) continue;
    cells++;
    for (const difference of differences(old, row)) {
      lines.push(difference.line);
      if (difference.worse) regressions++;
    }
  }
  lines.push(
    cells === 0
      ? "The results have no cell in common."
      : `${cells} cells compared, ${regressions} figures worse.`,
  );
  return { text: lines.join("\n"), regressions: cells === 0 ? 1 : regressions };
}

function differences(old: Row, row: Row): { line: string; worse: boolean }[] {
  const name = `${row.scenario} ${conditionsOf(row)} ${row.relay}`;
  if (row.runs === 0) return [{ line: `WORSE  ${name}: failed: ${row.failures.join("; ")}`, worse: true }];
  const columns = SCENARIOS.find(({ name }) => name === row.scenario)?.columns ?? [];
  return columns.flatMap((column) => {
    const [a, b] = [old.values[column.key], row.values[column.key]];
    const verdict = a && b && judge(column, a, b);
    if (!verdict) return [];
    const figures = `${formatSpread(a, column, old.runs)} -> ${formatSpread(b, column, row.runs)} ${column.unit}`;
    return [{ line: `${verdict}  ${name} ${column.label}: ${figures}`, worse: verdict === "WORSE " }];
  });
}

/** A difference counts when the two ranges do not overlap and the medians differ by more than noise. */
function judge({ better, unit }: Column, a: Spread, b: Spread): "WORSE " | "better" | undefined {
  if (better === undefined || Number.isNaN(a.median) || Number.isNaN(b.median)) return undefined;
  const apart = Math.abs(b.median - a.median);
  if (apart <= Math.max(NOISE * Math.abs(a.median), NEGLIGIBLE[unit] ?? 0)) return undefined;
  if (b.min <= a.max && a.min <= b.max) return undefined;
  return b.median > a.median === (better === "higher") ? "better" : "WORSE ";
}
