/** Repeats of one cell made into one row: medians, and how far apart the repeats were. */

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
  /** Repeats that yielded values. */
  runs: number;
  values: Record<string, Spread>;
  notes: string[];
  failures: string[];
}

/** Groups samples by cell, in the order they came. */
export function summarize(samples: readonly Sample[]): Row[] {
  return [...Map.groupBy(samples, cellOf).values()].map((repeats) => {
    const { scenario, relay, size, rate, detail } = repeats[0] as Sample;
    const good = repeats.filter((sample) => sample.values !== undefined);
    const keys = new Set(good.flatMap((sample) => Object.keys(sample.values ?? {})));
    const values = Object.fromEntries(
      [...keys].map((key) => [key, spreadOf(good.map((sample) => sample.values?.[key] ?? Number.NaN))]),
    );
    return {
      ...{ scenario, relay, size, rate, detail, runs: good.length, values },
      notes: [...new Set(good.flatMap((sample) => sample.notes ?? []))],
      failures: [...new Set(repeats.flatMap((sample) => sample.failed ?? []))],
    };
  });
}

/** What names a cell: the same for all of its repeats, and in any two results. */
export function cellOf({
  scenario,
  relay,
  size,
  rate,
  detail,
}: Omit<Row, "runs" | "values" | "notes" | "failures">) {
  return [scenario, relay, size ?? "", rate ?? "", detail ?? ""].join(" | ");
}

/** The highest rate of a sweep at which a relay lost no more than 0.1 %; 0 when there was none. */
export interface HighestRate {
  relay: string;
  size: number;
  rate: number;
  /** The highest rate that was tried: the real limit may lie above it. */
  triedUpTo: number;
}

/** Reads the sweep's rows. */
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

/** The median of the values that are numbers; NaN when none is. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
