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
  /** The line before the part, without a line feed. */
  readonly begin: string;
  /** The line after the part. */
  readonly end: string;
  /** The part itself. It begins and ends with a line feed. */
  readonly lines: string;
}

/** A Markdown table of all options, with the library's key of each. */
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

/** Escapes bars, which would end the cell, even inside code. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** All options under the headings of their groups, in the macros of man(7). */
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

/** The option with its value in italics. Below it, each sentence is on its own line. */
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
 * Escapes text so that roff does not change it. A bare hyphen would become a typographic one. A dot or a
 * quote at the start of a line would be a request.
 */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}

/** The medians of bench/results. If two results have the same cell, the newer one is shown. */
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
