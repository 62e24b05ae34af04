/** Options given by their long names, as a configuration file and the environment give them. */

import type { OptionProblem } from "../errors.ts";
import type { OptionDefinition } from "../options/definition.ts";
import { nearest, quoted } from "../options/message-text.ts";
import { OPTIONS } from "../options/table.ts";

/** One option as it was given. */
export interface NamedOption {
  readonly definition: OptionDefinition;
  /** What the library's key has for it; not yet checked, unless it is a flag. */
  readonly value: unknown;
  /** What its giver calls it. */
  readonly name: string;
}

const BY_NAME: ReadonlyMap<string, OptionDefinition> = new Map(
  OPTIONS.map((definition) => [definition.name, definition]),
);

/** The row of this long name. */
export function definitionOf(name: string): OptionDefinition | undefined {
  return BY_NAME.get(name);
}

/** The long name that was most likely meant, if any is near. */
export function nearestName(name: string): string | undefined {
  return nearest(name, BY_NAME.keys());
}

/**
 * Turns flags into what they mean (`ipv6 = true` is the family 6), and finds those that contradict each other. A flag that is
 * false is left out, so that it is as if nobody had given it.
 */
export function meanings(given: Iterable<NamedOption>): {
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
