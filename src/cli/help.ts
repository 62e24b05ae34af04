/** What `-h` and `--help` show, made from the options table. Nothing is wider than 80 columns. */

import { describe } from "../options/describe.ts";
import { typedName } from "../options/input-style.ts";
import type { OptionSpec } from "../options/spec.ts";
import { OPTIONS } from "../options/table.ts";

const COLUMNS = 80;

const USAGE = [
  "Usage: udptunnel -s [TCP-addr/]TCP-port [options] UDP-addr/UDP-port[/ttl]",
  "       udptunnel -c TCP-addr[/TCP-port] [options] UDP-addr/UDP-port[/ttl]",
];

const EXAMPLES = [
  "Examples: on the machine that can be reached, then on the other one",
  "  udptunnel -s 5000 localhost/4000",
  "  udptunnel -c server.example/5000 localhost/4000",
];

/** The usual options and two examples; fits a screen of 24 lines. Ends with a line feed. */
export function shortHelp(): string {
  const rows = OPTIONS.flatMap((spec) =>
    spec.usual === undefined ? [] : [[synopsis(spec), spec.usual] as const],
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return `${[...USAGE, "Carries UDP datagrams over one TCP connection.", "", ...lines, "", ...EXAMPLES].join("\n")}\n`;
}

/** Every option under its group's heading, and two examples. Ends with a line feed. */
export function longHelp(): string {
  const groups = Map.groupBy(OPTIONS, ({ group }) => group);
  const parts = [...groups].map(([group, specs]) => [`${group}:`, ...specs.flatMap(paragraph)].join("\n"));
  return `${[USAGE.join("\n"), ...parts, EXAMPLES.join("\n")].join("\n\n")}\n`;
}

const INDENT = " ".repeat(8);

function paragraph(spec: OptionSpec): string[] {
  return [
    `  ${synopsis(spec)}`,
    ...wrap(describe(spec), COLUMNS - INDENT.length).map((line) => INDENT + line),
  ];
}

/** An option as it is typed: `-s, --server [TCP-addr/]TCP-port`. */
export function synopsis(spec: OptionSpec): string {
  const argument = "argument" in spec && spec.argument !== undefined ? spec.argument : "";
  if (spec.operand) return argument;
  const short = spec.short === undefined ? "" : `-${spec.short}, `;
  return `${short}${typedName(spec)}${spec.environmentOnly ? "=" : " "}${argument}`.trimEnd();
}

/** The text in lines of at most `columns`, broken at spaces. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
