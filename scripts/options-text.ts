/** The table of options as documents show it: in Markdown for the README, in roff for the manual page. */

import { describe, synopsis } from "../src/cli/help.ts";
import type { OptionDefinition } from "../src/options/definition.ts";
import { OPTIONS } from "../src/options/table.ts";
import type { Generated } from "./generated.ts";

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

/** Text as roff shows it unchanged: a bare hyphen would become a typographic one, a dot or a quote that begins a line a request. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}
