/**
 * Writes the table of options between its markers in the README, or in the file named. With `--check` nothing is written, and the
 * exit code is 1 when the table there is stale.
 */

import { parseArgs } from "node:util";
import { synopsis } from "../src/cli/help.ts";
import { describe } from "../src/options/describe.ts";
import type { OptionSpec } from "../src/options/spec.ts";
import { OPTIONS } from "../src/options/table.ts";

const BEGIN = "<!-- options:begin -->";
const END = "<!-- options:end -->";

const { values, positionals } = parseArgs({
  args: Bun.argv.slice(2),
  options: { check: { type: "boolean" } },
  allowPositionals: true,
});

const file = positionals[0] ?? new URL("../README.md", import.meta.url).pathname;
const text = await Bun.file(file).text();
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
const fresh = `${text.slice(0, begin)}${BEGIN}\n\n${optionsTable()}\n${text.slice(end)}`;

if (begin < 0 || end < begin) {
  fail(`${file} lacks ${BEGIN} or, after it, ${END}; put both where the table belongs`);
} else if (values.check) {
  if (fresh !== text) fail(`${file} is stale; run scripts/generate.ts`);
} else {
  await Bun.write(file, fresh);
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

/** One Markdown table of all options, with the library's name of each. */
function optionsTable(): string {
  const head = "| Option | In the library | What it does |\n|---|---|---|\n";
  return head + OPTIONS.map(row).join("");
}

function row(spec: OptionSpec): string {
  const key = spec.cliOnly
    ? ""
    : `\`${spec.key}${spec.kind === "flag" && spec.means ? `: ${spec.means}` : ""}\``;
  return `| ${cell(`\`${synopsis(spec)}\``)} | ${key} | ${cell(describe(spec))} |\n`;
}

/** A bar would end the cell, in code as well. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
