/**
 * Parts of messages: user input, quoted so that a terminal can show it, and the nearest of the known names.
 */

/** A message shows at most this much of one value. */
const SHOWN_CHARS_MAX = 200;

/** Quotes a value for a message: text in quotes, other values as JSON; escaped and, if long, cut. */
export function quoted(input: unknown): string {
  if (typeof input === "number" || typeof input === "bigint") return String(input);
  if (typeof input === "string" && input.length > SHOWN_CHARS_MAX)
    return `${quoted(input.slice(0, SHOWN_CHARS_MAX))}... (${input.length} characters)`;
  const text = JSON.stringify(input) ?? String(input);
  const shown = typeof input === "string" ? text : text.slice(0, SHOWN_CHARS_MAX);
  return printable(shown.length < text.length ? `${shown}...` : shown);
}

/** Cuts a long key of a file. */
export function shortened(key: string): string {
  return key.length > SHOWN_CHARS_MAX
    ? `${key.slice(0, SHOWN_CHARS_MAX)}... (${key.length} characters)`
    : key;
}

/**
 * Escapes control characters, invisible characters and those that change the writing direction, so that a
 * terminal shows the text as it is, on one line. The escapes are JSON's: a line of JSON keeps its meaning.
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

/**
 * Finds the name that `text` most likely stands for: it begins with `text`, or few letters differ. Upper and
 * lower case count as the same. A text of fewer than four letters may differ by one. Undefined when none is
 * near.
 */
export function nearest(text: string, names: Iterable<string>): string | undefined {
  const lowerCase = text.toLowerCase();
  let best: string | undefined;
  let least = Math.max(text.length < 4 ? 1 : 2, Math.floor(text.length / 3)) + 1;
  for (const name of names) {
    const isPrefix = text.length >= 3 && name.toLowerCase().startsWith(lowerCase);
    // The difference in length is a lower bound of the edit distance.
    if (!isPrefix && Math.abs(text.length - name.length) >= least) continue;
    const distance = isPrefix ? 0.5 : editDistance(lowerCase, name.toLowerCase());
    if (distance < least && distance < text.length) [best, least] = [name, distance];
  }
  return best;
}

/** The number of insertions, deletions and substitutions of letters that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...a].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...b].entries()) {
      const changed = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
