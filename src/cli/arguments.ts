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

/** What the arguments ask for. */
export type Arguments =
  | { readonly kind: "run"; readonly settings: Settings; readonly program: ProgramOptions }
  /** Run what this file describes; what only the environment can give is for all of its tunnels. */
  | {
      readonly kind: "config";
      readonly file: string;
      readonly shared: readonly NamedOption[];
      readonly program: ProgramOptions;
    }
  /** Whatever else was given, right or wrong. */
  | { readonly kind: "help"; readonly long: boolean }
  | { readonly kind: "version" }
  /** Each is one line that names the option as it was typed. */
  | { readonly kind: "wrong"; readonly problems: readonly string[] };

/**
 * Reads the command line's arguments, those after the program's name, and finds every problem at once.
 *
 * The operand may be given in parts (`host 5000 16`), since the original separates them by a space, too.
 *
 * @param env The environment's variables: those named `UDPTUNNEL_...` stand for options that the arguments do not give.
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
      ? { problems: optionsBesideFile(given, style) }
      : readSettings(given.values, roleOf(given), style);
  const problems = [...tunnel.problems, ...program.problems];
  const lines = [...given.problems, ...problems.map(({ option, problem }) => `${option}: ${problem}`)];
  if (program.values === undefined || lines.length > 0) return { kind: "wrong", problems: lines };
  const { values: options } = program;
  if (options.config !== undefined)
    return { kind: "config", file: options.config, shared: given.shared, program: options };
  if ("settings" in tunnel) return { kind: "run", settings: tunnel.settings, program: options };
  return { kind: "wrong", problems: lines };
}

/** With a configuration file nobody could tell for which of its tunnels an option is meant. */
function optionsBesideFile({ values, shared }: Given, { nameOf }: InputStyle): OptionProblem[] {
  const problem = `does not go with ${nameOf("config")}; give it in the file`;
  const fitting = new Set(shared.map(({ definition }) => definition.key));
  const others = Object.keys(values).filter((key) => !fitting.has(key));
  return others.map((key) => ({ option: nameOf(key), problem }));
}

const FLAGGED = OPTIONS.filter((definition) => !definition.operand && !definition.environmentOnly);
const FLAGLESS = OPTIONS.filter((definition) => definition.environmentOnly);
const NAMES_MEANT = [...FLAGLESS, ...FLAGGED].map(({ name }) => name);
const BY_NAME: ReadonlyMap<string, OptionDefinition> = new Map(
  FLAGGED.map((definition) => [definition.name, definition]),
);

const takesValue = (definition: OptionDefinition) =>
  definition.kind !== "flag" && definition.kind !== "count";

const PARSED = Object.fromEntries(
  FLAGGED.map((definition) => {
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

/** The arguments' tokens. `parseArgs` takes whatever follows for an option's value; what is an option itself is given back. */
function tokensOf(args: readonly string[]): Token[] {
  const tokens = parse(args);
  const at = tokens.findIndex(
    (token) => token.kind === "option" && !token.inlineValue && isOption(token.value),
  );
  const hungry = tokens[at];
  if (hungry?.kind !== "option") return tokens;
  const { kind, name, rawName, index } = hungry;
  const starved: Token = { kind, name, rawName, index, value: undefined, inlineValue: undefined };
  return [...tokens.slice(0, at), starved, ...tokensOf(args.slice(index + 1))];
}

/** A hyphen before anything but a number: `-5` can only be meant as a value. */
function isOption(value: string | undefined): boolean {
  return value !== undefined && /^-[^\d.]/.test(value);
}

interface Given {
  /** By key: the text of an option with a value, `true` or the meaning of a flag; an array where one may be repeated. */
  readonly values: { target?: string; [key: string]: unknown };
  /** By key: the option as it was typed. */
  readonly typed: Map<string, string>;
  readonly problems: string[];
  /** What concerns the process, by key; a count as often as it was given. */
  readonly program: Record<string, unknown>;
  /** What only the environment can give of a tunnel's options. */
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
  let strayValueOf: Token | undefined;
  for (const token of tokens) {
    if (token.kind === "option") {
      strayValueOf = addOption(given, token) ? undefined : token;
    } else if (token.kind === "positional") {
      if (strayValueOf === undefined) operands.push(token.value);
      strayValueOf = undefined;
    }
  }
  addOperands(given, operands);
  return given;
}

type OptionToken = Extract<Token, { kind: "option" }>;

/** Notes one option. False when the operand after it, if any, must be its value: it is unknown, and the one meant takes a value. */
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
  const meant = rawName.startsWith("--") ? nearest(name, NAMES_MEANT) : undefined;
  const flagless = FLAGLESS.find((definition) => definition.name === meant);
  if (flagless !== undefined) {
    problems.push(
      `${rawName}: is no option; set ${typedName(flagless)}, since arguments can be read by others`,
    );
    return hasValue;
  }
  const advice = meant === undefined ? "--help shows all there are" : `did you mean --${meant}?`;
  problems.push(`${rawName}: is no option; ${advice}`);
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
  // Nothing in place of a value reads as a missing one wherever values are read.
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

/** The operand's parts may stand alone: the address, the port, the time to live. */
function addOperands({ values, problems }: Given, operands: readonly string[]): void {
  const extra = operands.slice(3).map(quoted).join(" ");
  if (extra !== "") problems.push(`${extra}: is too much; give one UDP-addr/UDP-port[/ttl]`);
  if (operands.length > 0) values.target = operands.slice(0, 3).join("/");
}

/** Adds what the environment says where the arguments say nothing; an end of the tunnel given here rules out both there. */
function addEnvironment({ values, program, shared, typed, problems }: Given, env: Environment): void {
  const { options, problems: wrong } = readEnvironment(env);
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
  problems.push(...wrong.map(({ option, problem }) => `${option}: ${problem}`));
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
