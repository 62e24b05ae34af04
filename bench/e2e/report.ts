/**
 * Writes a page of tables and charts for a result:
 *
 *     bun run bench:report bench/results/RESULT.json [FOLDER]
 *
 * The page is FOLDER/README.md. The default FOLDER is the path of the result without `.json`.
 */

import { join } from "node:path";
import { drawCharts } from "./charts.ts";
import { busyWarning, commandOf, type Results, readResults } from "./results.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { highestRates, type Row, summarize } from "./statistics.ts";
import {
  conditionsOf,
  formatFigure,
  formatHighestRate,
  formatRelay,
  markdownTable,
  remarksOn,
} from "./table.ts";

async function main(): Promise<void> {
  const [path, folder = path?.replace(/\.json$/, "")] = process.argv.slice(2);
  if (path === undefined || folder === undefined || folder === path) {
    throw new Error("give a result: bench:report RESULT.json [FOLDER]");
  }
  const results = await readResults(path);
  const charts = drawCharts(results.samples);
  for (const { name, svg } of charts) await Bun.write(join(folder, `${name}.svg`), svg);
  const page = [
    "# Benchmark",
    describe(results),
    ...(busyWarning(results) ? [`**${busyWarning(results)}**`] : []),
    ...SCENARIOS.flatMap((scenario) => section(scenario, summarize(results.samples))),
    ...charts.map(({ name, title }) => `![${title}](${name}.svg)`),
    ...leftOut(results),
  ];
  await Bun.write(join(folder, "README.md"), `${page.join("\n\n")}\n`);
  process.stdout.write(`${join(folder, "README.md")}\n`);
}

function describe(results: Results): string {
  const { date, machine, kernel, bun, commit, plan } = results;
  const seconds = (count: number) => `${count.toLocaleString("en")} s`;
  const command = commandOf(results);
  const memory = Math.round(machine.memoryBytes / 2 ** 30);
  return [
    `Measured ${date.slice(0, 10)} on ${machine.cores} cores of ${machine.cpu} (${machine.arch}), ${memory} GiB, Linux`,
    `${kernel}, Bun ${bun}, commit ${commit}. Generator, both ends of`,
    "the tunnel and sink are four processes on this machine. Every figure is the median of fresh tunnels, with the",
    "lowest and the highest of the repeats in brackets; the relays took turns. Every load is followed by 128 kB that are",
    "not counted, because the original keeps up to 64 KiB back until more arrives.",
    `Loads count from ${seconds(plan.warmUpSeconds)} to ${seconds(plan.warmUpSeconds + plan.seconds)} after their start, when Bun`,
    "still compiles the code, unless the table or the row says otherwise.",
    ...(command === undefined ? [] : [`Reproduce it with \`${command}\`.`]),
  ].join("\n");
}

function section({ name, title, columns }: Scenario, rows: readonly Row[]): string[] {
  const own = rows.filter(({ scenario }) => scenario === name);
  if (own.length === 0) return [];
  const header = ["offered", "relay", ...columns.map(({ label, unit }) => `${label}${unit && `, ${unit}`}`)];
  const lines = own.map((row) => [
    conditionsOf(row) || "nothing",
    formatRelay(row),
    ...columns.map((column) => formatFigure(row, column)),
  ]);
  const { failures, notes } = remarksOn(own);
  const remarks = [...failures.map((failure) => `- failed: ${failure}`), ...notes.map((note) => `- ${note}`)];
  return [
    `## ${title}`,
    markdownTable(header, lines, 2),
    ...(name === "rate" ? [highest(rows)] : []),
    ...(remarks.length > 0 ? [remarks.join("\n")] : []),
  ];
}

function highest(rows: readonly Row[]): string {
  const lines = highestRates(rows).map((highest) => [
    `${highest.size} B`,
    highest.relay,
    formatHighestRate(highest),
  ]);
  return markdownTable(["size", "relay", "highest rate with at most 0.1 % lost in every repeat"], lines, 2);
}

function leftOut({ leftOut }: Results): string[] {
  return leftOut.length === 0 ? [] : ["## Left out", leftOut.map((line) => `- ${line}`).join("\n")];
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench:report: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
