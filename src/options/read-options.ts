/** Reads all options of a tunnel, of channels or of the program, and finds every problem at once. */

import type { OptionProblem } from "../errors.ts";
import type { OptionDefinition, Role } from "./definition.ts";
import type { InputStyle } from "./input-style.ts";
import { nearest, quoted } from "./message-text.ts";
import { readValue } from "./read-value.ts";
import { ruleProblems } from "./rules.ts";
import { scopeProblems } from "./scope.ts";
import { OPTIONS, type OptionKey, type OptionValues, type ProgramOptions } from "./table.ts";

/** The library's options by key. The two flags of `family` are one option here. */
const BY_KEY: ReadonlyMap<string, OptionDefinition> = new Map(
  OPTIONS.filter((definition) => !definition.cliOnly).map((definition) => [definition.key, definition]),
);

/** The options that are accepted: all of a tunnel's, or only some of them. */
interface OptionSet {
  /** The accepted keys; undefined accepts all. */
  readonly keys?: ReadonlySet<OptionKey>;
  /** The required keys. */
  readonly required: Readonly<Record<Role, readonly OptionKey[]>>;
}

const TUNNEL: OptionSet = { required: { server: ["listen", "target"], client: ["connect", "target"] } };

/**
 * Reads options given under the library's keys, in any style. If there is a problem, there are no values.
 *
 * @param role the end of the tunnel; undefined when the input does not name exactly one. Rules about roles
 * are then skipped.
 */
export function readOptions(
  input: Readonly<Record<string, unknown>>,
  role: Role | undefined,
  style: InputStyle,
  set = TUNNEL,
): { readonly values?: OptionValues; readonly problems: readonly OptionProblem[] } {
  const problems = unknownKeys(input, set);
  const present: OptionDefinition[] = [];
  const values: Record<string, unknown> = {};
  const invalid = new Set<string>();
  for (const [key, definition] of BY_KEY) {
    if (!accepts(set, key)) continue;
    const option = style.nameOf(key);
    const given = Object.hasOwn(input, key) ? input[key] : undefined;
    if (given !== undefined && isForOther(definition, role)) {
      problems.push({ option, problem: `is for the ${definition.role} only; leave it out` });
      continue; // its value, and rules about it, do not matter
    }
    const result = readValue(definition, given, style.notation);
    problems.push(...result.problems.map((problem) => ({ option, problem })));
    if (result.problems.length > 0) invalid.add(key);
    if (result.value !== undefined) {
      values[key] = result.value;
      if (isGiven(given)) present.push(definition);
    }
    const problem = presenceProblem(definition, given, role, set);
    if (problem !== undefined) problems.push({ option, problem });
  }
  problems.push(...ruleProblems(values as Partial<OptionValues>, style.nameOf, role, invalid));
  if (set === TUNNEL) problems.push(...scopeProblems(present, values, style.nameOf, role));
  // The type of the values is computed from the definitions that readValue followed.
  return problems.length > 0 ? { problems } : { problems, values: values as OptionValues };
}

/** Reads the options that concern the process. If there is a problem, there are no values. */
export function readProgramOptions(
  input: Readonly<Record<string, unknown>>,
  style: InputStyle,
): { readonly values?: ProgramOptions; readonly problems: readonly OptionProblem[] } {
  const problems: OptionProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const definition of OPTIONS.filter(({ cliOnly }) => cliOnly)) {
    const { key } = definition;
    const result = readValue(definition, input[key], style.notation);
    problems.push(...result.problems.map((problem) => ({ option: style.nameOf(key), problem })));
    if (result.value !== undefined) values[key] = result.value;
  }
  return problems.length > 0 ? { problems } : { problems, values: values as ProgramOptions };
}

/** Whether an option is given. A flag that is off and an empty list count as not given. */
export function isGiven(input: unknown): boolean {
  return input !== undefined && input !== false && !isEmptyList(input);
}

function isEmptyList(input: unknown): boolean {
  return Array.isArray(input) && input.length === 0;
}

function accepts({ keys }: OptionSet, key: string): boolean {
  return keys === undefined || keys.has(key as OptionKey);
}

/** Whether only the other end accepts the option. */
function isForOther(definition: OptionDefinition, role: Role | undefined): boolean {
  return role !== undefined && (definition.role ?? role) !== role;
}

/** The problem of an option that is required and not given. */
function presenceProblem(
  definition: OptionDefinition,
  given: unknown,
  role: Role | undefined,
  set: OptionSet,
): string | undefined {
  const required = role === undefined ? ["target"] : set.required[role];
  const isRequired = required.some((key) => key === definition.key);
  if (!isRequired || (given !== undefined && !isEmptyList(given))) return undefined;
  return `is missing; give ${"argument" in definition ? definition.argument : "it"}`;
}

function unknownKeys(input: Readonly<Record<string, unknown>>, set: OptionSet): OptionProblem[] {
  const known = [...BY_KEY.keys()].filter((key) => accepts(set, key));
  const unknown = Object.keys(input).filter((key) => !known.includes(key) && input[key] !== undefined);
  return unknown.map((key) => {
    const meant = nearest(key, known);
    const advice = meant === undefined ? "leave it out" : `did you mean ${quoted(meant)}?`;
    return { option: key, problem: `is not an option; ${advice}` };
  });
}
