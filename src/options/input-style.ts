/**
 * How an option is spelt for each reader: library, command line, configuration file, environment. This is the
 * one place that knows. Code that writes a message takes a `nameOf` from its caller and never spells an
 * option itself.
 */

import type { OptionDefinition } from "./definition.ts";
import { OPTIONS } from "./table.ts";

/**
 * How values are written. `library`: typed, in the unit that the key ends in. `written`: in the units of the
 * command line (seconds, for example), and a number may be text with a suffix.
 */
export type Notation = "library" | "written";

/** One way to write options: how values are read and how messages name options. */
export interface InputStyle {
  /** Spells the option that has this key in the library. */
  readonly nameOf: (key: string) => string;
  readonly notation: Notation;
}

/** Every environment variable that gives an option begins with this. */
export const VARIABLE_PREFIX = "UDPTUNNEL_";

/** `secretFile` */
export const LIBRARY: InputStyle = { notation: "library", nameOf: (key) => key };

/** `--secret-file` */
export const COMMAND_LINE = writtenStyle((definition) =>
  definition.operand ? "UDP address" : typedName(definition),
);

/** `secret-file`, a key of a TOML table; for an option that the file cannot have, its environment variable */
export const CONFIG_FILE = writtenStyle(({ name, environmentOnly }) =>
  environmentOnly ? variableOf(name) : name,
);

/** The environment variable of an option's long name: `UDPTUNNEL_SECRET_FILE`. */
export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase().replaceAll("-", "_");
}

/** The flag of an option; of an option without a flag its environment variable. */
export function typedName({ name, environmentOnly }: OptionDefinition): string {
  return environmentOnly ? variableOf(name) : `--${name}`;
}

function writtenStyle(spell: (definition: OptionDefinition) => string): InputStyle {
  const names = new Map(OPTIONS.map((definition) => [definition.key, spell(definition)]));
  return { notation: "written", nameOf: (key) => names.get(key) ?? key };
}

/** A style that prefers the spellings in `given` (by key), as the user wrote them. */
export function asGiven(style: InputStyle, given: ReadonlyMap<string, string>): InputStyle {
  return { ...style, nameOf: (key) => given.get(key) ?? style.nameOf(key) };
}
