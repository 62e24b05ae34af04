/** What reading one value gave: the value, or in words what is wrong with it and what to give instead. */
export type ParseResult<Value> = { readonly value: Value } | { readonly problem: string };

/** A value that could be read. */
export function read<Value>(value: Value): ParseResult<Value> {
  return { value };
}

/** A value that could not: `problem` continues the line that names the option. */
export function parseError(problem: string): { readonly problem: string } {
  return { problem };
}

/** At most this much of one value is shown in a message. */
const SHOWN_CHARS_MAX = 200;

/**
 * A given value, as a message shows it: text in quotes with unprintable characters escaped, other values as JSON, both
 * cut when long.
 */
export function quoted(input: unknown): string {
  if (typeof input === "number" || typeof input === "bigint") return String(input);
  if (typeof input === "string" && input.length > SHOWN_CHARS_MAX)
    return `${quoted(input.slice(0, SHOWN_CHARS_MAX))}... (${input.length} characters)`;
  const text = JSON.stringify(input) ?? String(input);
  const shown = typeof input === "string" ? text : text.slice(0, SHOWN_CHARS_MAX);
  return printable(shown.length < text.length ? `${shown}...` : shown);
}

/** A key of a file, cut when long. */
export function shortened(key: string): string {
  return key.length > SHOWN_CHARS_MAX
    ? `${key.slice(0, SHOWN_CHARS_MAX)}... (${key.length} characters)`
    : key;
}

/**
 * Text of a single line that a terminal shows as it is. Escapes control characters, characters that change the
 * direction of writing and invisible ones. The escapes are JSON's, so that a line of JSON keeps its meaning.
 */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** Control characters, formats (direction, width), lone surrogates, line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
