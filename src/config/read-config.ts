/**
 * The configuration file: a TOML table for each tunnel, with the command line's long names.
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
import { definitionOf, meanings, type NamedOption, nearestName } from "./named-options.ts";
import type { TunnelPlan } from "./plan.ts";
import { isTable, readToml } from "./toml-lines.ts";

/** One thing that is wrong with a file. */
export interface ConfigProblem {
  /** Counts from 1. */
  readonly line?: number | undefined;
  /** The key as the file has it, from the outermost table on; empty when the whole file is meant. */
  readonly path: readonly string[];
  /** What is wrong, and what to give instead. */
  readonly problem: string;
}

/** The result of reading a file. */
export interface ConfigReading {
  /** Empty when there is a problem. */
  readonly plans: readonly TunnelPlan[];
  readonly problems: readonly ConfigProblem[];
}

/** Tunnels read in one step: 1 ms of work, when each has an unknown key. */
export const TUNNELS_PER_STEP = 4;

/**
 * Reads a file's text in steps, so that the caller can do other work between them. It finds every problem at once; there
 * are plans only when there is none.
 *
 * @param shared options that every tunnel has which its table does not give.
 */
export function* readConfigInSteps(
  text: string,
  shared: readonly NamedOption[],
): Generator<void, ConfigReading> {
  const toml = readToml(text);
  if (!("document" in toml)) return { plans: [], problems: [{ ...toml, path: [] }] };
  const plans: TunnelPlan[] = [];
  const problems: ConfigProblem[] = [];
  const { tunnel, ...strangers } = toml.document;
  for (const key of Object.keys(strangers)) problems.push({ path: [key], problem: misplaced(key) });
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

/** A problem in one line: `udptunnel.toml:7: tunnel.media.max-delay: ...`. */
export function formatProblem(file: string, { line, path, problem }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return [place, ...(path.length === 0 ? [] : [path.map(shortened).join(".")]), problem].join(": ");
}

const NO_TUNNEL = "describes no tunnel; give a table for each, such as [tunnel.media]";

function misplaced(key: string): string {
  const definition = definitionOf(key);
  if (definition?.cliOnly) return FOR_PROGRAM;
  return definition === undefined
    ? "is unknown; only tables such as [tunnel.media] may stand here"
    : "belongs in the table of a tunnel, such as [tunnel.media]";
}

const FOR_PROGRAM = "is not a tunnel's; give it on the command line or in the environment";

/** A name must be safe in a line of a log and in a metric's label. */
const TUNNEL_NAME = /^[a-z0-9][\w.-]{0,62}$/i;

/** So many unknown keys of a tunnel are reported one by one: to guess what each was meant to be takes time. */
const STRANGERS_MAX = 20;

type TunnelReading = { readonly plan: TunnelPlan } | { readonly problems: readonly ConfigProblem[] };

function readTunnel(name: string, table: unknown, shared: readonly NamedOption[]): TunnelReading {
  const path = ["tunnel", name];
  const problems: ConfigProblem[] = [];
  if (!TUNNEL_NAME.test(name)) {
    const problem = `${quoted(name)} cannot be a name; give letters, digits, - and _, beginning with a letter or a digit`;
    problems.push({ path, problem });
  }
  if (!isTable(table)) {
    return { problems: [...problems, { path, problem: `is no table; begin one with [${path.join(".")}]` }] };
  }
  const given: NamedOption[] = [];
  let strangers = 0;
  for (const [option, value] of Object.entries(table)) {
    const definition = definitionOf(option);
    if (definition !== undefined && !definition.cliOnly && !definition.environmentOnly)
      given.push({ definition, value, name: option });
    else if (++strangers <= STRANGERS_MAX)
      problems.push({ path: [...path, option], problem: unknown(option) });
  }
  if (strangers > STRANGERS_MAX)
    problems.push({ path, problem: `has ${strangers - STRANGERS_MAX} more keys that are no options` });
  const keys = new Set(given.map(({ definition }) => definition.key));
  given.push(...shared.filter(({ definition }) => !keys.has(definition.key)));
  const { options, problems: contradictions } = meanings(given);
  const role = roleOf(options);
  if (role === undefined) problems.push({ path, problem: oneEnd(options) });
  const values = Object.fromEntries(options.map(({ definition, value }) => [definition.key, value]));
  // A shared option is named as it was given, in the environment.
  const names = new Map(options.map(({ definition, name }) => [definition.key, name]));
  const { settings, problems: wrong } = readSettings(values, role, asGiven(CONFIG_FILE, names));
  for (const { option, problem } of [...contradictions, ...wrong]) {
    problems.push({ path: [...path, option], problem });
  }
  return settings === undefined || problems.length > 0 ? { problems } : { plan: { name, settings } };
}

function unknown(option: string): string {
  const definition = definitionOf(option);
  if (definition?.environmentOnly) return `is not for files; set ${variableOf(option)} for all tunnels`;
  if (definition !== undefined) return FOR_PROGRAM;
  const meant = nearestName(option);
  return meant === undefined ? "is no option; leave it out" : `is no option; did you mean ${meant}?`;
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
