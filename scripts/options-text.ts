/** The table of options as documents show it: in Markdown for the README, in roff for the manual page. */

import { synopsis } from "../src/cli/help.ts";
import { describe } from "../src/options/describe.ts";
import type { OptionSpec } from "../src/options/spec.ts";
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

/** Every option under its group's heading, in the macros of man(7). */
export function optionsSection(): Generated {
  const groups = [...Map.groupBy(OPTIONS, ({ group }) => group)];
  const lines = groups.flatMap(([group, specs]) => [`.SS ${roff(group)}`, ...specs.flatMap(paragraph)]);
  return {
    begin: '.\\" options:begin',
    end: '.\\" options:end',
    lines: `\n${lines.join("\n")}\n`,
  };
}

/** The option as it is typed, its value in italics; below it, each sentence on a line of its own. */
function paragraph(spec: OptionSpec): string[] {
  const whole = synopsis(spec);
  const at = whole.length - (spec.argument?.length ?? 0);
  const [typed, value] = [whole.slice(0, at), whole.slice(at)];
  const tag = (typed && `\\fB${roff(typed.trimEnd())}\\fR`) + (typed.endsWith(" ") ? " " : "");
  return [
    ".TP",
    tag + (value && `\\fI${roff(value)}\\fR`),
    ...describe(spec)
      .split(/(?<=\.) /)
      .map(roff),
  ];
}

/** Text as roff shows it unchanged: a bare hyphen would become a typographic one, a dot or a quote that begins a line a request. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}
