/** Summarizes the repeats of a cell as one row: medians and ranges. */

import { isLowerBound, isWorthless } from "./instrument-limits.ts";
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
  /** Whether generator or sink limited every repeat: the values say nothing about the relay. */
  worthless: boolean;
  /** Whether the delivered rate is only a lower bound in a repeat with values. */
  lowerBound: boolean;
  notes: string[];
  failures: string[];
}

/**
 * Groups samples by cell, in their order. Repeats that generator or sink limited are left out of the values,
 * if there are others.
 */
export function summarize(samples: readonly Sample[]): Row[] {
  return [...Map.groupBy(samples, cellOf).values()].map((repeats) => {
    const { scenario, relay, size, rate, detail } = repeats[0] as Sample;
    const measured = repeats.filter((sample) => sample.values !== undefined);
    const sound = measured.filter((sample) => !isWorthless(sample));
    const valid = sound.length > 0 ? sound : measured;
    const keys = new Set(valid.flatMap((sample) => Object.keys(sample.values ?? {})));
    const values = Object.fromEntries(
      [...keys].map((key) => [key, spreadOf(valid.map((sample) => sample.values?.[key] ?? Number.NaN))]),
    );
    return {
      ...{ scenario, relay, size, rate, detail, runs: valid.length, values },
      worthless: measured.length > 0 && sound.length === 0,
      lowerBound: valid.some(isLowerBound),
      notes: [
        ...new Set(valid.flatMap((sample) => sample.notes ?? [])),
        ...leftOutNotes(measured.filter((sample) => !valid.includes(sample))),
      ],
      failures: [...new Set(repeats.flatMap((sample) => sample.failed ?? []))],
    };
  });
}

/** One note for each reason, with the number of repeats. */
function leftOutNotes(leftOut: readonly Sample[]): string[] {
  const reasons = leftOut.map(({ notes = [] }) => notes.join(", "));
  return [...Map.groupBy(reasons, (reason) => reason)].map(
    ([reason, { length }]) => `${length} ${length === 1 ? "repeat" : "repeats"} left out: ${reason}`,
  );
}

/** The name of a cell: the same for all its repeats, in all results. */
export function cellOf({
  scenario,
  relay,
  size,
  rate,
  detail,
}: Pick<Row, "scenario" | "relay" | "size" | "rate" | "detail">) {
  return [scenario, relay, size ?? "", rate ?? "", detail ?? ""].join(" | ");
}

/** The highest rate of a sweep at which a relay lost at most 0.1 % in every repeat; 0 without such a rate. */
export interface HighestRate {
  relay: string;
  size: number;
  rate: number;
  /** Whether no higher rate was measured soundly: the real limit may be higher. */
  lowerBound: boolean;
}

/** Finds the highest rates in the rows of the sweep. */
export function highestRates(rows: readonly Row[]): HighestRate[] {
  const sweep = rows.filter((row) => row.scenario === "rate" && row.runs + row.failures.length > 0);
  return [...Map.groupBy(sweep, (row) => `${row.size} ${row.relay}`).values()].map((group) => {
    const { relay, size = 0 } = group[0] as Row;
    const sound = group.filter((row) => !row.worthless);
    const kept = sound.filter(
      (row) => row.failures.length === 0 && (row.values[LOSS_KEY]?.max ?? 100) <= LOSS_PERCENT_MAX,
    );
    const rate = Math.max(0, ...kept.map((row) => row.rate ?? 0));
    return { relay, size, rate, lowerBound: sound.every((row) => (row.rate ?? 0) <= rate) };
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
