/** The text of `-h` and `--help`, from the table of options. No line is wider than 80 columns. */

import type { OptionDefinition } from "../options/definition.ts";
import { typedName } from "../options/input-style.ts";
import { formatBounds, formatNumber } from "../options/number.ts";
import { OPTIONS } from "../options/table.ts";

const COLUMNS = 80;

const USAGE = [
  "Usage: udptunnel -s [TCP-addr/]TCP-port [options] UDP-addr/UDP-port[/ttl]",
  "       udptunnel -c TCP-addr[/TCP-port] [options] UDP-addr/UDP-port[/ttl]",
];

const EXAMPLES = [
  "Examples: first on the reachable machine, then on the other one",
  "  udptunnel -s 5000 localhost/4000",
  "  udptunnel -c server.example/5000 localhost/4000",
];

/** The usual options and two examples. Fits a screen of 24 lines; ends with a line feed. */
export function shortHelp(): string {
  const rows = OPTIONS.flatMap((definition) =>
    definition.usual === undefined ? [] : [[synopsis(definition), definition.usual] as const],
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  const head = [...USAGE, "Carries UDP datagrams over one TCP connection."];
  return `${[...head, "", ...lines, "", ...EXAMPLES].join("\n")}\n`;
}

/** Every option under its group's heading, and two examples. Ends with a line feed. */
export function longHelp(): string {
  const groups = Map.groupBy(OPTIONS, ({ group }) => group);
  const parts = [...groups].map(([group, definitions]) =>
    [`${group}:`, ...definitions.flatMap(paragraph)].join("\n"),
  );
  return `${[USAGE.join("\n"), ...parts, EXAMPLES.join("\n")].join("\n\n")}\n`;
}

const INDENT = " ".repeat(8);

function paragraph(definition: OptionDefinition): string[] {
  return [
    `  ${synopsis(definition)}`,
    ...wrap(describe(definition), COLUMNS - INDENT.length).map((line) => INDENT + line),
  ];
}

/** What an option does, with its default and its bounds in the units of the command line. */
export function describe(definition: OptionDefinition): string {
  const facts = [defaultOf(definition), "min" in definition ? `from ${formatBounds(definition)}` : ""]
    .filter((fact) => fact !== "")
    .join(", ");
  return facts === ""
    ? definition.help
    : `${definition.help} ${facts.charAt(0).toUpperCase()}${facts.slice(1)}.`;
}

function defaultOf(definition: OptionDefinition): string {
  if (definition.kind === "choice") return `default ${definition.default}`;
  if (!("min" in definition)) return "";
  const { default: value, defaultText } = definition;
  const text = value === undefined ? defaultText : formatNumber(value, definition);
  return text === undefined ? "" : `default ${text}`;
}

/** An option as a user types it: `-s, --server [TCP-addr/]TCP-port`. */
export function synopsis(definition: OptionDefinition): string {
  const argument = "argument" in definition && definition.argument !== undefined ? definition.argument : "";
  if (definition.operand) return argument;
  const short = definition.short === undefined ? "" : `-${definition.short}, `;
  return `${short}${typedName(definition)}${definition.environmentOnly ? "=" : " "}${argument}`.trimEnd();
}

/** Breaks text at spaces into lines of at most `columns`. */
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
