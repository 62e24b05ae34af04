/** Summarizes the repeats of a cell as one row: medians and ranges. */

import type { Sample } from "./scenario.ts";
import { LOSS_PERCENT_MAX } from "./scenarios/rate.ts";

const LOSS_KEY = "loss";

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** All repeats of one cell. */
export interface Row {
  scenario: string;
  relay: string;
  size?: number | undefined;
  rate?: number | undefined;
  detail?: string | undefined;
  /** The number of repeats with values. */
  runs: number;
  values: Record<string, Spread>;
  notes: string[];
  failures: string[];
}

/** Groups samples by cell, in their order. */
export function summarize(samples: readonly Sample[]): Row[] {
  return [...Map.groupBy(samples, cellOf).values()].map((repeats) => {
    const { scenario, relay, size, rate, detail } = repeats[0] as Sample;
    const valid = repeats.filter((sample) => sample.values !== undefined);
    const keys = new Set(valid.flatMap((sample) => Object.keys(sample.values ?? {})));
    const values = Object.fromEntries(
      [...keys].map((key) => [key, spreadOf(valid.map((sample) => sample.values?.[key] ?? Number.NaN))]),
    );
    return {
      ...{ scenario, relay, size, rate, detail, runs: valid.length, values },
      notes: [...new Set(valid.flatMap((sample) => sample.notes ?? []))],
      failures: [...new Set(repeats.flatMap((sample) => sample.failed ?? []))],
    };
  });
}

/** The name of a cell: the same for all its repeats, in all results. */
export function cellOf({
  scenario,
  relay,
  size,
  rate,
  detail,
}: Omit<Row, "runs" | "values" | "notes" | "failures">) {
  return [scenario, relay, size ?? "", rate ?? "", detail ?? ""].join(" | ");
}

/** The highest rate of a sweep at which a relay lost at most 0.1 %; 0 when it lost more at every rate. */
export interface HighestRate {
  relay: string;
  size: number;
  rate: number;
  /** The highest measured rate. The real limit may be higher. */
  triedUpTo: number;
}

/** Finds the highest rates in the rows of the sweep. */
export function highestRates(rows: readonly Row[]): HighestRate[] {
  const sweep = rows.filter((row) => row.scenario === "rate" && row.runs > 0);
  return [...Map.groupBy(sweep, (row) => `${row.size} ${row.relay}`).values()].map((group) => {
    const { relay, size = 0 } = group[0] as Row;
    const kept = group.filter((row) => (row.values[LOSS_KEY]?.median ?? 100) <= LOSS_PERCENT_MAX);
    return {
      relay,
      size,
      rate: Math.max(0, ...kept.map((row) => row.rate ?? 0)),
      triedUpTo: Math.max(...group.map((row) => row.rate ?? 0)),
    };
  });
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return { median: median(values), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The median of all values that are not NaN; NaN when all are. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
