/** Options given by their long names, as a configuration file and the environment give them. */

import type { OptionProblem } from "../errors.ts";
import { nearest } from "../options/nearest.ts";
import { quoted } from "../options/parse-result.ts";
import type { OptionSpec } from "../options/spec.ts";
import { OPTIONS } from "../options/table.ts";

/** One option as it was given. */
export interface NamedOption {
  readonly spec: OptionSpec;
  /** What the library's key has for it; not yet checked, unless it is a flag. */
  readonly value: unknown;
  /** What its giver calls it. */
  readonly name: string;
}

const BY_NAME: ReadonlyMap<string, OptionSpec> = new Map(OPTIONS.map((spec) => [spec.name, spec]));

/** The row of this long name. */
export function specOf(name: string): OptionSpec | undefined {
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
    const { spec, value, name } = option;
    if (spec.kind === "flag" && typeof value !== "boolean") {
      problems.push({ option: name, problem: `${quoted(value)} is not true or false; give one of these` });
    } else if (value !== false) {
      const before = options.get(spec.key);
      if (before !== undefined)
        problems.push({ option: name, problem: `contradicts ${before.name}; give one of them` });
      const meaning = spec.kind === "flag" ? (spec.means ?? true) : value;
      options.set(spec.key, { spec, name, value: meaning });
    }
  }
  return { options: [...options.values()], problems };
}
