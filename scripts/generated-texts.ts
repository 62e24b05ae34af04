/**
 * The parts of documents that `generate.ts` writes: the table of options, in Markdown and in roff, and the
 * benchmark's figures.
 */

import { basename, join } from "node:path";
import { figures } from "../bench/e2e/figures.ts";
import { RESULTS_FOLDER, readResults } from "../bench/e2e/results.ts";
import { describe, synopsis } from "../src/cli/help.ts";
import type { OptionDefinition } from "../src/options/definition.ts";
import { OPTIONS } from "../src/options/table.ts";

/** A part of a document, between two markers. */
export interface Generated {
  /** The line before it, without a line feed. */
  readonly begin: string;
  /** The line after it. */
  readonly end: string;
  /** What stands between: begins and ends with a line feed. */
  readonly lines: string;
}

/** One Markdown table of all options, with the library's name of each. */
export function optionsTable(): Generated {
  const head = "\n\n| Option | In the library | What it does |\n|---|---|---|\n";
  return {
    begin: "<!-- options:begin -->",
    end: "<!-- options:end -->",
    lines: `${head}${OPTIONS.map(row).join("")}\n`,
  };
}

function row(definition: OptionDefinition): string {
  const key = definition.cliOnly
    ? ""
    : `\`${definition.key}${definition.kind === "flag" && definition.means ? `: ${definition.means}` : ""}\``;
  return `| ${cell(`\`${synopsis(definition)}\``)} | ${key} | ${cell(describe(definition))} |\n`;
}

/** A bar would end the cell, in code as well. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** Every option under its group's heading, in the macros of man(7). */
export function optionsSection(): Generated {
  const groups = [...Map.groupBy(OPTIONS, ({ group }) => group)];
  const lines = groups.flatMap(([group, definitions]) => [
    `.SS ${roff(group)}`,
    ...definitions.flatMap(paragraph),
  ]);
  return {
    begin: '.\\" options:begin',
    end: '.\\" options:end',
    lines: `\n${lines.join("\n")}\n`,
  };
}

/** The option as it is typed, its value in italics; below it, each sentence on a line of its own. */
function paragraph(definition: OptionDefinition): string[] {
  const whole = synopsis(definition);
  const at = whole.length - (definition.argument?.length ?? 0);
  const [typed, value] = [whole.slice(0, at), whole.slice(at)];
  const tag = (typed && `\\fB${roff(typed.trimEnd())}\\fR`) + (typed.endsWith(" ") ? " " : "");
  return [
    ".TP",
    tag + (value && `\\fI${roff(value)}\\fR`),
    ...describe(definition)
      .split(/(?<=\.) /)
      .map(roff),
  ];
}

/**
 * Text as roff shows it unchanged: a bare hyphen would become a typographic one, a dot or a quote that begins
 * a line a request.
 */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}

/** The medians of bench/results; where two results have the same cell, the newer one's. */
export async function benchmarkFigures(): Promise<Generated> {
  const files = [...new Bun.Glob("*.json").scanSync(RESULTS_FOLDER)].toSorted();
  const all = await Promise.all(
    files.map(async (file) => ({
      name: basename(file, ".json"),
      results: await readResults(join(RESULTS_FOLDER, file)),
    })),
  );
  return {
    begin: "<!-- figures:begin -->",
    end: "<!-- figures:end -->",
    lines: `\n\n${figures(all)}\n\n`,
  };
}
