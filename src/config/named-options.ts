/** Options given by their long names, in a configuration file or the environment. */

import type { OptionProblem } from "../errors.ts";
import type { OptionDefinition } from "../options/definition.ts";
import { nearest, quoted } from "../options/message-text.ts";
import { OPTIONS } from "../options/table.ts";

/** One given option. */
export interface NamedOption {
  readonly definition: OptionDefinition;
  /** The value for the library's key. Only the value of a flag is checked. */
  readonly value: unknown;
  /** The name as the user wrote it. */
  readonly name: string;
}

const BY_NAME: ReadonlyMap<string, OptionDefinition> = new Map(
  OPTIONS.map((definition) => [definition.name, definition]),
);

/** The definition of the option with this long name. */
export function definitionOf(name: string): OptionDefinition | undefined {
  return BY_NAME.get(name);
}

/** The long name that the user most likely meant; undefined when none is near. */
export function nearestName(name: string): string | undefined {
  return nearest(name, BY_NAME.keys());
}

/**
 * Turns flags into the values of their keys (`ipv6 = true` becomes `family: 6`) and finds flags that
 * contradict each other. A flag that is false counts as not given.
 */
export function resolveFlags(given: Iterable<NamedOption>): {
  readonly options: readonly NamedOption[];
  readonly problems: readonly OptionProblem[];
} {
  const options = new Map<string, NamedOption>();
  const problems: OptionProblem[] = [];
  for (const option of given) {
    const { definition, value, name } = option;
    if (definition.kind === "flag" && typeof value !== "boolean") {
      problems.push({ option: name, problem: `${quoted(value)} is not true or false; give one of these` });
    } else if (value !== false) {
      const before = options.get(definition.key);
      if (before !== undefined)
        problems.push({ option: name, problem: `contradicts ${before.name}; give one of them` });
      const meaning = definition.kind === "flag" ? (definition.means ?? true) : value;
      options.set(definition.key, { definition, name, value: meaning });
    }
  }
  return { options: [...options.values()], problems };
}
