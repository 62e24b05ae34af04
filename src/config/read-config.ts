/**
 * Parses the configuration file: one TOML table for each tunnel, with the command line's long names as keys.
 *
 *     [tunnel.media]
 *     server = 5000
 *     target = "localhost/4000"
 */

import type { Role } from "../options/definition.ts";
import { asGiven, CONFIG_FILE, variableOf } from "../options/input-style.ts";
import { quoted, shortened } from "../options/message-text.ts";
import { readSettings } from "../options/settings.ts";
import { collisions } from "./collisions.ts";
import { definitionOf, type NamedOption, nearestName, resolveFlags } from "./named-options.ts";
import type { TunnelPlan } from "./plan.ts";
import { isTable, readToml } from "./read-toml.ts";

/** One problem of a file. */
export interface ConfigProblem {
  /** Counted from 1. */
  readonly line?: number | undefined;
  /** The key with the names of its tables, outermost first. Empty for a problem of the whole file. */
  readonly path: readonly string[];
  /** What is wrong and what is allowed. */
  readonly problem: string;
}

/** The tunnels of a file, or its problems. */
export interface ConfigResult {
  /** Empty when there is a problem. */
  readonly plans: readonly TunnelPlan[];
  readonly problems: readonly ConfigProblem[];
}

/** The tunnels of one step. A step takes 1 ms if each tunnel has an unknown key. */
export const TUNNELS_PER_STEP = 4;

/**
 * Reads the text of a file in steps, so that the caller can do other work between them. Finds every problem
 * at once. If there is a problem, there are no plans.
 *
 * @param shared options for every tunnel whose table does not give them.
 */
export function* readConfigInSteps(
  text: string,
  shared: readonly NamedOption[],
): Generator<void, ConfigResult> {
  const toml = readToml(text);
  if (!("document" in toml)) return { plans: [], problems: [{ ...toml, path: [] }] };
  const plans: TunnelPlan[] = [];
  const problems: ConfigProblem[] = [];
  const { tunnel, ...others } = toml.document;
  for (const key of Object.keys(others)) problems.push({ path: [key], problem: misplaced(key) });
  const tables = isTable(tunnel) ? Object.entries(tunnel) : [];
  if (tables.length === 0)
    problems.push({ path: tunnel === undefined ? [] : ["tunnel"], problem: NO_TUNNEL });
  for (const [index, [name, table]] of tables.entries()) {
    if (index % TUNNELS_PER_STEP === 0) yield;
    const result = readTunnel(name, table, shared);
    if ("plan" in result) plans.push(result.plan);
    else problems.push(...result.problems);
  }
  for (const { name, option, problem } of collisions(plans))
    problems.push({ path: ["tunnel", name, option], problem });
  if (problems.length === 0) return { plans, problems };
  return { plans: [], problems: problems.map((each) => ({ line: toml.lineOf(each.path), ...each })) };
}

/** Formats a problem as one line: `udptunnel.toml:7: tunnel.media.max-delay: ...`. */
export function formatProblem(file: string, { line, path, problem }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return [place, ...(path.length === 0 ? [] : [path.map(shortened).join(".")]), problem].join(": ");
}

const NO_TUNNEL = "has no tunnel; give a table for each tunnel, such as [tunnel.media]";

function misplaced(key: string): string {
  const definition = definitionOf(key);
  if (definition?.cliOnly) return NOT_FOR_TUNNELS;
  return definition === undefined
    ? "is unknown; only tables such as [tunnel.media] are allowed here"
    : "belongs in the table of a tunnel, such as [tunnel.media]";
}

const NOT_FOR_TUNNELS = "is not an option of a tunnel; give it on the command line or in the environment";

/** A name must be safe in a log line and in a label of a metric. */
const TUNNEL_NAME = /^[a-z0-9][\w.-]{0,62}$/i;

/**
 * At most this many unknown keys of a tunnel are reported one by one: to find the nearest option takes time.
 */
const UNKNOWN_KEYS_MAX = 20;

type TunnelResult = { readonly plan: TunnelPlan } | { readonly problems: readonly ConfigProblem[] };

function readTunnel(name: string, table: unknown, shared: readonly NamedOption[]): TunnelResult {
  const path = ["tunnel", name];
  const problems: ConfigProblem[] = [];
  if (!TUNNEL_NAME.test(name)) {
    const allowed = "give letters, digits, ., - and _, beginning with a letter or a digit";
    const problem = `${quoted(name)} cannot be a name; ${allowed}`;
    problems.push({ path, problem });
  }
  if (!isTable(table)) {
    return {
      problems: [...problems, { path, problem: `is not a table; begin one with [${path.join(".")}]` }],
    };
  }
  const named: NamedOption[] = [];
  let unknownKeys = 0;
  for (const [option, value] of Object.entries(table)) {
    const definition = definitionOf(option);
    if (definition !== undefined && !definition.cliOnly && !definition.environmentOnly)
      named.push({ definition, value, name: option });
    else if (++unknownKeys <= UNKNOWN_KEYS_MAX)
      problems.push({ path: [...path, option], problem: unknown(option) });
  }
  if (unknownKeys > UNKNOWN_KEYS_MAX)
    problems.push({ path, problem: `has ${unknownKeys - UNKNOWN_KEYS_MAX} more unknown keys` });
  const keys = new Set(named.map(({ definition }) => definition.key));
  named.push(...shared.filter(({ definition }) => !keys.has(definition.key)));
  const { options, problems: contradictions } = resolveFlags(named);
  const role = roleOf(options);
  if (role === undefined) problems.push({ path, problem: oneEnd(options) });
  const values = Object.fromEntries(options.map(({ definition, value }) => [definition.key, value]));
  // Problems name a shared option as the environment spells it.
  const names = new Map(options.map(({ definition, name }) => [definition.key, name]));
  const { settings, problems: optionProblems } = readSettings(values, role, asGiven(CONFIG_FILE, names));
  for (const { option, problem } of [...contradictions, ...optionProblems]) {
    problems.push({ path: [...path, option], problem });
  }
  return settings === undefined || problems.length > 0 ? { problems } : { plan: { name, settings } };
}

function unknown(option: string): string {
  const definition = definitionOf(option);
  if (definition?.environmentOnly)
    return `is not allowed in a file; set ${variableOf(option)} for all tunnels`;
  if (definition !== undefined) return NOT_FOR_TUNNELS;
  const meant = nearestName(option);
  return meant === undefined ? "is not an option; leave it out" : `is not an option; did you mean ${meant}?`;
}

function roleOf(options: readonly NamedOption[]): Role | undefined {
  const ends = options
    .map(({ definition }) => definition.key)
    .filter((key) => key === "listen" || key === "connect");
  if (ends.length !== 1) return undefined;
  return ends[0] === "listen" ? "server" : "client";
}

function oneEnd(options: readonly NamedOption[]): string {
  return options.some(({ definition }) => definition.key === "listen")
    ? "server and client are the two ends of a tunnel; give exactly one of them"
    : 'server or client is missing; give server = "[TCP-addr/]TCP-port" or client = "TCP-addr[/TCP-port]"';
}
