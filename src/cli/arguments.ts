/** Parses the command line. Environment variables give the options that the arguments do not. */

import { parseArgs } from "node:util";
import { type Environment, readEnvironment } from "../config/environment.ts";
import type { NamedOption } from "../config/named-options.ts";
import type { OptionProblem } from "../errors.ts";
import type { OptionDefinition, Role } from "../options/definition.ts";
import { asGiven, COMMAND_LINE, type InputStyle, typedName } from "../options/input-style.ts";
import { nearest, quoted } from "../options/message-text.ts";
import { readProgramOptions } from "../options/read-options.ts";
import { readSettings, type Settings } from "../options/settings.ts";
import { OPTIONS, type ProgramOptions } from "../options/table.ts";

/** What the command line asks for. */
export type Arguments =
  | { readonly kind: "run"; readonly settings: Settings; readonly program: ProgramOptions }
  /** Run the tunnels of this file. `shared` options come from the environment and apply to all of them. */
  | {
      readonly kind: "config";
      readonly file: string;
      readonly shared: readonly NamedOption[];
      readonly program: ProgramOptions;
    }
  /** Takes precedence over everything else, valid or not. */
  | { readonly kind: "help"; readonly long: boolean }
  | { readonly kind: "version" }
  /** Each problem is one line that names the option as the user typed it. */
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * Parses the arguments after the name of the program, and finds every problem at once. The operand may be
 * given in parts (`host 5000 16`), because the original accepts spaces between them.
 *
 * @param env the environment: variables named `UDPTUNNEL_...` give options that the arguments do not give.
 */
export function parseArguments(argv: readonly string[], env: Environment = {}): Arguments {
  const given = collect(tokensOf(argv));
  if (given.help !== undefined) return { kind: "help", long: given.help === "--help" };
  if (given.version) return { kind: "version" };
  addEnvironment(given, env);
  const style = asGiven(COMMAND_LINE, given.typed);
  const program = readProgramOptions(given.program, style);
  const tunnel =
    "config" in given.program
      ? { problems: optionsNextToFile(given, style) }
      : readSettings(given.values, roleOf(given), style);
  const problems = [...tunnel.problems, ...program.problems];
  const lines = [...given.problems, ...problems.map(({ option, problem }) => `${option}: ${problem}`)];
  if (program.values === undefined || lines.length > 0) return { kind: "invalid", problems: lines };
  const { values: options } = program;
  if (options.config !== undefined)
    return { kind: "config", file: options.config, shared: given.shared, program: options };
  if ("settings" in tunnel) return { kind: "run", settings: tunnel.settings, program: options };
  return { kind: "invalid", problems: lines };
}

/** With a configuration file, an option on the command line would not say which tunnel it is for. */
function optionsNextToFile({ values, shared }: Given, { nameOf }: InputStyle): OptionProblem[] {
  const problem = `does not go with ${nameOf("config")}; give it in the file`;
  const allowed = new Set(shared.map(({ definition }) => definition.key));
  const others = Object.keys(values).filter((key) => !allowed.has(key));
  return others.map((key) => ({ option: nameOf(key), problem }));
}

const WITH_FLAG = OPTIONS.filter((definition) => !definition.operand && !definition.environmentOnly);
const WITHOUT_FLAG = OPTIONS.filter((definition) => definition.environmentOnly);
const KNOWN_NAMES = [...WITHOUT_FLAG, ...WITH_FLAG].map(({ name }) => name);
const BY_NAME: ReadonlyMap<string, OptionDefinition> = new Map(
  WITH_FLAG.map((definition) => [definition.name, definition]),
);

const takesValue = (definition: OptionDefinition) =>
  definition.kind !== "flag" && definition.kind !== "count";

const PARSED = Object.fromEntries(
  WITH_FLAG.map((definition) => {
    const short = definition.short === undefined ? {} : { short: definition.short };
    return [
      definition.name,
      { type: takesValue(definition) ? ("string" as const) : ("boolean" as const), multiple: true, ...short },
    ];
  }),
);

function parse(args: readonly string[]) {
  const { tokens } = parseArgs({
    args: [...args],
    options: PARSED,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  return tokens;
}

type Token = ReturnType<typeof parse>[number];

/**
 * Splits the arguments into tokens. `parseArgs` takes the next argument as an option's value even if it is an
 * option itself; such a value is parsed again as an option.
 */
function tokensOf(args: readonly string[]): Token[] {
  const tokens = parse(args);
  const at = tokens.findIndex(
    (token) => token.kind === "option" && !token.inlineValue && isOption(token.value),
  );
  const option = tokens[at];
  if (option?.kind !== "option") return tokens;
  const { kind, name, rawName, index } = option;
  const withoutValue: Token = { kind, name, rawName, index, value: undefined, inlineValue: undefined };
  return [...tokens.slice(0, at), withoutValue, ...tokensOf(args.slice(index + 1))];
}

/** Whether a text is an option: it begins with a hyphen and is not a number such as `-5`. */
function isOption(value: string | undefined): boolean {
  return value !== undefined && /^-[^\d.]/.test(value);
}

/** What the arguments and the environment give. */
interface Given {
  /** By key: the text of the value; `true` or the meaning of a flag; an array if the option is repeatable. */
  readonly values: { target?: string; [key: string]: unknown };
  /** By key: the option as the user typed it. */
  readonly typed: Map<string, string>;
  readonly problems: string[];
  /** By key: options that concern the process. */
  readonly program: Record<string, unknown>;
  /** Options of a tunnel that only the environment can give. */
  readonly shared: NamedOption[];
  help?: string;
  version: boolean;
}

function collect(tokens: readonly Token[]): Given {
  const given: Given = {
    values: {},
    program: {},
    shared: [],
    typed: new Map(),
    problems: [],
    version: false,
  };
  const operands: string[] = [];
  let unknownOption: Token | undefined;
  for (const token of tokens) {
    if (token.kind === "option") {
      unknownOption = addOption(given, token) ? undefined : token;
    } else if (token.kind === "positional") {
      if (unknownOption === undefined) operands.push(token.value);
      unknownOption = undefined;
    }
  }
  addOperands(given, operands);
  return given;
}

type OptionToken = Extract<Token, { kind: "option" }>;

/**
 * Adds one option. Returns false if the next operand is probably its value: the option is unknown, and the
 * nearest known option takes a value.
 */
function addOption(given: Given, { name, rawName, value }: OptionToken): boolean {
  const definition = BY_NAME.get(name);
  if (definition === undefined) return addUnknown(given, name, rawName, value !== undefined);
  if (definition.name === "help") given.help = rawName === "--help" ? rawName : (given.help ?? rawName);
  if (definition.name === "version") given.version = true;
  if (!takesValue(definition) && value !== undefined) {
    given.problems.push(`${rawName}: takes no value, but ${quoted(value)} was given; leave it out`);
  }
  addValue(given, definition, rawName, value);
  return true;
}

function addUnknown({ problems }: Given, name: string, rawName: string, hasValue: boolean): boolean {
  const meant = rawName.startsWith("--") ? nearest(name, KNOWN_NAMES) : undefined;
  const withoutFlag = WITHOUT_FLAG.find((definition) => definition.name === meant);
  if (withoutFlag !== undefined) {
    problems.push(
      `${rawName}: is not an option; set ${typedName(withoutFlag)}, because other users can read arguments`,
    );
    return hasValue;
  }
  const advice = meant === undefined ? "--help lists all options" : `did you mean --${meant}?`;
  problems.push(`${rawName}: is not an option; ${advice}`);
  const definition = BY_NAME.get(meant ?? "");
  return hasValue || definition === undefined || !takesValue(definition);
}

function addValue(
  given: Given,
  definition: OptionDefinition,
  rawName: string,
  value: string | undefined,
): void {
  const { typed, problems } = given;
  const { key } = definition;
  const values = definition.cliOnly ? given.program : given.values;
  // An empty text is reported as a missing value when the value is read.
  const read = definition.kind === "flag" ? (definition.means ?? true) : (value ?? "");
  const before = values[key];
  if (definition.kind === "count") {
    values[key] = Number(before ?? 0) + 1;
  } else if (definition.repeatable) {
    values[key] = [...(Array.isArray(before) ? before : []), read];
  } else if (before !== undefined && takesValue(definition)) {
    problems.push(`${rawName}: is given twice, as ${quoted(before)} and as ${quoted(read)}; give it once`);
  } else if (before !== undefined && before !== read) {
    problems.push(`${rawName}: contradicts ${typed.get(key)}; give one of them`);
  } else {
    values[key] = read;
  }
  typed.set(key, typed.get(key) ?? rawName);
}

/** The parts of the operand may be separate arguments: the address, the port, the time to live. */
function addOperands({ values, problems }: Given, operands: readonly string[]): void {
  const extra = operands.slice(3).map(quoted).join(" ");
  if (extra !== "") problems.push(`${extra}: too many arguments; give one UDP-addr/UDP-port[/ttl]`);
  if (operands.length > 0) values.target = operands.slice(0, 3).join("/");
}

/**
 * Adds options from the environment that the arguments do not give. If the arguments give an end of the
 * tunnel, the ends are ignored.
 */
function addEnvironment({ values, program, shared, typed, problems }: Given, env: Environment): void {
  const { options, problems: variableProblems } = readEnvironment(env);
  const hasEnd = ENDS.some((key) => key in values);
  for (const option of options) {
    const { definition, value, name } = option;
    const place = definition.cliOnly ? program : values;
    const { key } = definition;
    if (definition.environmentOnly) shared.push(option);
    if (key in place || (hasEnd && ENDS.includes(key))) continue;
    place[key] = value;
    typed.set(key, name);
  }
  problems.push(...variableProblems.map(({ option, problem }) => `${option}: ${problem}`));
}

const ENDS: readonly string[] = ["listen", "connect"];

function roleOf({ typed, problems }: Given): Role | undefined {
  const [server, client] = [typed.get("listen"), typed.get("connect")];
  if (server !== undefined && client !== undefined) {
    problems.push(`${server} and ${client}: are the two ends of a tunnel; give exactly one of them`);
    return undefined;
  }
  if (server !== undefined) return "server";
  if (client !== undefined) return "client";
  problems.push(
    "-s or -c: is missing; give -s TCP-port to be the server, or -c TCP-addr[/TCP-port] to be the client",
  );
  return undefined;
}
