/**
 * Where in a TOML text something stands. `Bun.TOML.parse` tells no positions (Bun 1.4.5: an error's `line` is that of the calling
 * program), so beginnings of the text are parsed: a key is first there at the end of the line that sets it, and an error stays the
 * same from its line on. The cost grows with the square of the text, so this is for texts in which something is wrong.
 */

/** A parsed document, or why the text is none. */
export type TomlReading =
  | { readonly document: Readonly<Record<string, unknown>> }
  /** The line counts from 1; what an error quotes of the text is left out, since it could be a secret. */
  | { readonly line: number; readonly problem: string };

/** Parses a text. */
export function readToml(text: string): TomlReading {
  const outcome = parse(text);
  if ("document" in outcome) return outcome;
  const lines = linesOf(text);
  let line = lines.length;
  while (line > 1 && messageOf(beginning(lines, line - 1)) === outcome.message) line--;
  const problem = outcome.message.replace(/^TOML Parse error: /, "").replace(/: ".*$/s, "");
  return { line, problem };
}

/**
 * Finds the line, counted from 1, on which the key at a path is set; failing that, the line of the innermost table around it.
 * Undefined when the text does not have even its first part. To be used with texts that can be parsed.
 */
export function keyLines(text: string): (path: readonly string[]) => number | undefined {
  const lines = linesOf(text);
  const found = new Map<string, number>();
  let parsedLines = 0;
  for (let count = 1; count <= lines.length; count++) {
    const outcome = parse(beginning(lines, count));
    // Within a value of several lines no beginning can be parsed, so the key stands behind the last that could.
    if (!("document" in outcome)) continue;
    for (const path of pathsOf(outcome.document)) {
      if (!found.has(path)) found.set(path, parsedLines + 1);
    }
    parsedLines = count;
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = found.get(keyOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return undefined;
  };
}

function parse(text: string): { document: Record<string, unknown> } | { message: string } {
  try {
    return { document: Bun.TOML.parse(text) as Record<string, unknown> };
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}

function messageOf(text: string): string | undefined {
  const outcome = parse(text);
  return "message" in outcome ? outcome.message : undefined;
}

const linesOf = (text: string) => text.split("\n");
const beginning = (lines: readonly string[], count: number) => `${lines.slice(0, count).join("\n")}\n`;

const keyOf = (path: readonly string[]) => JSON.stringify(path);

function* pathsOf(table: object, above: readonly string[] = []): Generator<string> {
  for (const [key, value] of Object.entries(table)) {
    const path = [...above, key];
    yield keyOf(path);
    if (isTable(value)) yield* pathsOf(value, path);
  }
}

/** Whether a value of a document is a table. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
