/** Options from environment variables, for containers: `UDPTUNNEL_MAX_DELAY` is `--max-delay`. */

import type { OptionProblem } from "../errors.ts";
import type { OptionDefinition } from "../options/definition.ts";
import { VARIABLE_PREFIX, variableOf } from "../options/input-style.ts";
import { OPTIONS } from "../options/table.ts";
import { meanings, type NamedOption, nearestName } from "./named-options.ts";

/** The process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Kubernetes gives every container of a namespace such variables for a service that is called `udptunnel`. */
const OF_A_SERVICE = /^UDPTUNNEL_(SERVICE|PORT)(_|$)/;

/** Asked of somebody at a terminal only. An image's `UDPTUNNEL_VERSION` says something else. */
const TERMINAL_ONLY: readonly string[] = ["help", "version"];

const BY_VARIABLE: ReadonlyMap<string, OptionDefinition> = new Map(
  OPTIONS.filter(({ name }) => !TERMINAL_ONLY.includes(name)).map((definition) => [
    variableOf(definition.name),
    definition,
  ]),
);

/**
 * The options that variables give, and what is wrong with the variables themselves; the options' values are not checked, unless
 * they are flags. An empty variable counts as missing, but for a secret: a tunnel must not become an open
 * one because a secret was not filled in. Variables that resemble no option belong to somebody else.
 */
export function readEnvironment(env: Environment): {
  readonly options: readonly NamedOption[];
  readonly problems: readonly OptionProblem[];
} {
  const given: NamedOption[] = [];
  const unknown: OptionProblem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || text === undefined) continue;
    const definition = BY_VARIABLE.get(name);
    if (text === "" && !isSecret(definition)) continue;
    if (definition !== undefined) given.push({ definition, name, value: readText(definition, text) });
    else unknown.push(...misspelt(name));
  }
  const { options, problems } = meanings(given);
  return { options, problems: [...unknown, ...problems] };
}

function isSecret(definition: OptionDefinition | undefined): boolean {
  return definition?.kind === "secret" || definition?.kind === "secret file";
}

function readText(definition: OptionDefinition, text: string): unknown {
  if (definition.kind === "flag") return FLAG_WORDS.get(text.toLowerCase()) ?? text;
  if (definition.kind === "count") return /^\d+$/.test(text) ? Number(text) : text;
  return definition.repeatable ? text.split(",").map((part) => part.trim()) : text;
}

const FLAG_WORDS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

function misspelt(name: string): OptionProblem[] {
  const meant = nearestName(name.slice(VARIABLE_PREFIX.length).toLowerCase().replaceAll("_", "-"));
  if (meant === undefined || OF_A_SERVICE.test(name) || TERMINAL_ONLY.includes(meant)) return [];
  return [{ option: name, problem: `is no option; did you mean ${variableOf(meant)}?` }];
}
