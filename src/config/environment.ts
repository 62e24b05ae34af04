/** Options from environment variables, for containers: `UDPTUNNEL_MAX_DELAY` is `--max-delay`. */

import type { OptionProblem } from "../errors.ts";
import type { OptionDefinition } from "../options/definition.ts";
import { VARIABLE_PREFIX, variableOf } from "../options/input-style.ts";
import { OPTIONS } from "../options/table.ts";
import { type NamedOption, nearestName, resolveFlags } from "./named-options.ts";

/** The process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Kubernetes sets such variables in every container of a namespace that has a service named `udptunnel`. */
const KUBERNETES_SERVICE = /^UDPTUNNEL_(SERVICE|PORT)(_|$)/;

/** Flags without a variable. `UDPTUNNEL_VERSION` in a container image often holds the image's version. */
const TERMINAL_ONLY: readonly string[] = ["help", "version"];

const BY_VARIABLE: ReadonlyMap<string, OptionDefinition> = new Map(
  OPTIONS.filter(({ name }) => !TERMINAL_ONLY.includes(name)).map((definition) => [
    variableOf(definition.name),
    definition,
  ]),
);

/**
 * Reads the options that variables give, and the problems of the variables themselves. Only the values of
 * flags are checked here. An empty variable counts as not given. Exception: an empty secret is a problem,
 * because a tunnel must not become open when a template left the secret empty. Variables whose names resemble
 * no option are ignored.
 */
export function readEnvironment(env: Environment): {
  readonly options: readonly NamedOption[];
  readonly problems: readonly OptionProblem[];
} {
  const found: NamedOption[] = [];
  const unknown: OptionProblem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || text === undefined) continue;
    const definition = BY_VARIABLE.get(name);
    if (text === "" && !isSecret(definition)) continue;
    if (definition !== undefined) found.push({ definition, name, value: readText(definition, text) });
    else unknown.push(...misspelt(name));
  }
  const { options, problems } = resolveFlags(found);
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
  if (meant === undefined || KUBERNETES_SERVICE.test(name) || TERMINAL_ONLY.includes(meant)) return [];
  return [{ option: name, problem: `is not an option; did you mean ${variableOf(meant)}?` }];
}
