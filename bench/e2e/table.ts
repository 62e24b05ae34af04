/** Formats results as tables. */

import { styleText } from "node:util";
import type { Column, Scenario } from "./scenario.ts";
import { DELIVERED } from "./scenarios/load-columns.ts";
import { type HighestRate, highestRates, type Row, type Spread } from "./statistics.ts";

/** Marks rows whose figures are those of generator or sink. */
const WORTHLESS_MARK = "(!)";
const WORTHLESS = `${WORTHLESS_MARK} generator or sink limited every repeat: the row says nothing about the relay`;

/** Formats all tables for a terminal, or as plain text. */
export function formatTables(
  scenarios: readonly Scenario[],
  rows: readonly Row[],
  leftOut: readonly string[],
): string {
  const blocks = scenarios.flatMap((scenario) => {
    const own = rows.filter((row) => row.scenario === scenario.name);
    if (own.length === 0) return [];
    const head = styleText("bold", scenario.title);
    const extra = scenario.name === "rate" ? [formatHighest(rows)] : [];
    return [[head, formatScenario(scenario.columns, own), ...extra, ...remarkLines(own)].join("\n")];
  });
  if (leftOut.length > 0) blocks.push(["Left out:", ...leftOut.map((line) => `  ${line}`)].join("\n"));
  return blocks.join("\n\n");
}

/** Formats one figure of a row. Throughput that the generator limited is a lower bound. */
export function formatFigure(row: Row, column: Column): string {
  if (row.runs === 0) return "failed";
  const text = formatSpread(row.values[column.key], column, row.runs);
  return row.lowerBound && column.key === DELIVERED.key ? `>= ${text}` : text;
}

/** The relay of a row, with a mark if the row says nothing about it. */
export function formatRelay({ relay, worthless }: Row): string {
  return worthless ? `${relay} ${WORTHLESS_MARK}` : relay;
}

/** Formats the highest rate of a sweep. */
export function formatHighestRate({ rate, lowerBound }: HighestRate): string {
  if (rate === 0) return lowerBound ? "not known" : "none";
  return `${lowerBound ? ">= " : ""}${formatCount(rate)}/s`;
}

/** Formats a median, with the range when there was more than one run. */
export function formatSpread(
  spread: Spread | undefined,
  { digits }: Pick<Column, "digits">,
  runs: number,
): string {
  if (spread === undefined || Number.isNaN(spread.median)) return "-";
  const number = (value: number) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const median = number(spread.median);
  const [min, max] = [number(spread.min), number(spread.max)];
  return runs < 2 || min === max ? median : `${median} (${min}-${max})`;
}

/** A Markdown table. The first `names` columns are text, the others are figures. */
export function markdownTable(
  header: readonly string[],
  lines: readonly (readonly string[])[],
  names = 1,
): string {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = header.map((_, index) => (index < names ? "---" : "---:"));
  return [row(header), row(rule), ...lines.map(row)].join("\n");
}

/** Formats a count with separators between thousands. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** The conditions of a row, without the relay. */
export function conditionsOf({ size, rate, detail }: Row): string {
  return [size && `${size} B`, rate && `${formatCount(rate)}/s`, detail].filter(Boolean).join(" ");
}

function formatScenario(columns: readonly Column[], rows: readonly Row[]): string {
  const header = [
    "",
    "relay",
    ...columns.map(({ label, unit }) => (unit === "" ? label : `${label} ${unit}`)),
  ];
  let conditions = "";
  const body = rows.map((row) => {
    const current = conditionsOf(row);
    const shown = current === conditions ? "" : current;
    conditions = current;
    if (row.runs === 0) return [shown, row.relay, "failed"];
    return [shown, formatRelay(row), ...columns.map((column) => formatFigure(row, column))];
  });
  return align([header, ...body]);
}

function formatHighest(rows: readonly Row[]): string {
  const lines = highestRates(rows).map((highest) => [
    `${highest.size} B`,
    highest.relay,
    formatHighestRate(highest),
  ]);
  return `Highest rate with at most 0.1 % lost in every repeat:\n${align(lines)}`;
}

/** Failures and notes, each once with all rows that have it. */
export function remarksOn(rows: readonly Row[]): { failures: string[]; notes: string[] } {
  const gather = (pick: (row: Row) => readonly string[]) => {
    const about = new Map<string, string[]>();
    for (const row of rows) {
      for (const remark of pick(row)) {
        const name = [row.relay, conditionsOf(row)].filter(Boolean).join(" ");
        about.set(remark, [...(about.get(remark) ?? []), name]);
      }
    }
    return [...about].map(([remark, names]) => `${remark} (${names.join("; ")})`);
  };
  return {
    failures: gather(({ failures }) => failures),
    notes: [...gather(({ notes }) => notes), ...(rows.some(({ worthless }) => worthless) ? [WORTHLESS] : [])],
  };
}

function remarkLines(rows: readonly Row[]): string[] {
  const { failures, notes } = remarksOn(rows);
  return [
    ...failures.map((failure) => styleText("red", `  ! failed: ${failure}`)),
    ...notes.map((note) => `  * ${note}`),
  ];
}

/** Pads cells: text is aligned left, figures right. */
function align(lines: readonly string[][]): string {
  const widths: number[] = [];
  for (const line of lines) {
    for (const [index, cell] of line.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return lines
    .map((line) =>
      line
        .map((cell, index) =>
          index < 2 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n");
}
