import * as v from "valibot";
import type { OptionProblem } from "../errors.ts";
import type { InputStyle } from "./input-style.ts";
import { nearest } from "./nearest.ts";
import { quoted } from "./parse-result.ts";
import { ruleProblems } from "./rules.ts";
import { schemaOf } from "./schema.ts";
import { scopeProblems } from "./scope.ts";
import type { Settings } from "./settings.ts";
import type { OptionSpec, Role } from "./spec.ts";
import { OPTIONS, type OptionKey, type OptionValues, type ProgramOptions } from "./table.ts";

/** The library's options, each key once. */
const BY_KEY: ReadonlyMap<string, OptionSpec> = new Map(
  OPTIONS.filter((spec) => !spec.cliOnly).map((spec) => [spec.key, spec]),
);

/** What is being set up: a tunnel takes every option, a part of one takes fewer. */
export interface OptionSet {
  /** The keys it takes; all, when undefined. */
  readonly keys?: ReadonlySet<OptionKey>;
  /** Those it cannot do without. */
  readonly needed: Readonly<Record<Role, readonly OptionKey[]>>;
}

const TUNNEL: OptionSet = { needed: { server: ["listen", "target"], client: ["connect", "target"] } };

/**
 * Reads what was given under the library's keys, whatever the style of its values, and finds every problem at once. Values are
 * there only when there is no problem.
 *
 * @param role Which end it is for; undefined when that itself is wrong, and then rules about roles are left out.
 */
export function readOptions(
  input: Readonly<Record<string, unknown>>,
  role: Role | undefined,
  style: InputStyle,
  set = TUNNEL,
): { readonly values?: OptionValues; readonly problems: readonly OptionProblem[] } {
  const problems = unknownKeys(input, set);
  const present: OptionSpec[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, spec] of BY_KEY) {
    if (!takes(set, key)) continue;
    const option = style.nameOf(key);
    const given = Object.hasOwn(input, key) ? input[key] : undefined;
    const complain = (problem: string) => problems.push({ option, problem });
    const { value, wrongs } = readValue(spec, given, style);
    wrongs.forEach(complain);
    if (value !== undefined) values[key] = value;
    if (value !== undefined && isGiven(given)) present.push(spec);
    if (given !== undefined && role !== undefined && (spec.role ?? role) !== role) {
      complain(`is for the ${spec.role} only; leave it out`);
    } else if (isMissing(spec, given, role, set)) {
      complain(`is missing; give ${"argument" in spec ? spec.argument : "it"}`);
    }
  }
  problems.push(...ruleProblems(values as Partial<OptionValues>, style.nameOf, role));
  if (set === TUNNEL) problems.push(...scopeProblems(present, values, style.nameOf, role));
  // The type of the values follows from the same rows as the schemas that made them.
  return problems.length > 0 ? { problems } : { problems, values: values as OptionValues };
}

/**
 * Problems that only a look-up shows: options with an effect on groups only, or on other addresses only, that were
 * given with a host name. They name options by their keys.
 *
 * @param address the address of the target's name.
 */
export function problemsAfterLookup(settings: Settings, address: string): OptionProblem[] {
  const values = { ...settings, target: { ...settings.target, host: address } };
  const present = OPTIONS.filter(
    ({ key, scope, kind }) =>
      scope && kind !== "integer" && kind !== "duration" && isGiven(settings[key as keyof Settings]),
  );
  return [...scopeProblems(present, values as unknown as Partial<OptionValues>, (key) => key, settings.role)];
}

/** A flag that is off counts as missing, and so does an empty list. */
function isGiven(given: unknown): boolean {
  return given !== undefined && given !== false && !(Array.isArray(given) && given.length === 0);
}

function takes({ keys }: OptionSet, key: string): boolean {
  return keys === undefined || keys.has(key as OptionKey);
}

/** Reads what concerns the process and not one tunnel, given under the rows' keys, and finds every problem at once. */
export function readProgramOptions(
  input: Readonly<Record<string, unknown>>,
  style: InputStyle,
): { readonly values?: ProgramOptions; readonly problems: readonly OptionProblem[] } {
  const problems: OptionProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const spec of OPTIONS.filter(({ cliOnly }) => cliOnly)) {
    const { value, wrongs } = readValue(spec, input[spec.key], style);
    problems.push(...wrongs.map((problem) => ({ option: style.nameOf(spec.key), problem })));
    if (value !== undefined) values[spec.key] = value;
  }
  // As above: the type follows from the rows.
  return problems.length > 0 ? { problems } : { problems, values: values as ProgramOptions };
}

/** The value in the library's unit, if there is one, and what is wrong with it. */
function readValue(spec: OptionSpec, given: unknown, style: InputStyle) {
  const result = v.safeParse(schemaOf(spec, style), given);
  if (result.success) return { value: result.output, wrongs: [] };
  return { wrongs: result.issues.map(({ message }) => message) };
}

function isMissing({ key }: OptionSpec, given: unknown, role: Role | undefined, set: OptionSet): boolean {
  const needed = role === undefined ? ["target"] : set.needed[role];
  return (
    needed.some((name) => name === key) &&
    (given === undefined || (Array.isArray(given) && given.length === 0))
  );
}

function unknownKeys(input: Readonly<Record<string, unknown>>, set: OptionSet): OptionProblem[] {
  const known = [...BY_KEY.keys()].filter((key) => takes(set, key));
  const unknown = Object.keys(input).filter((key) => !known.includes(key) && input[key] !== undefined);
  return unknown.map((key) => {
    const meant = nearest(key, known);
    return {
      option: key,
      problem: `is no option${meant === undefined ? "; leave it out" : `; did you mean ${quoted(meant)}?`}`,
    };
  });
}
