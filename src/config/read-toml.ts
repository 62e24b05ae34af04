/**
 * Parses TOML into tables and keeps the line of each key. The work is proportional to the length of the text.
 */

import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "toml-eslint-parser";

/** A parsed document, or the problem of the text. */
export type TomlResult =
  | {
      readonly document: Readonly<Record<string, unknown>>;
      /**
       * The line, counted from 1, of the key at a path. If the key is missing, the line of the innermost
       * table around it. Undefined when the first part of the path is missing.
       */
      readonly lineOf: (path: readonly string[]) => number | undefined;
    }
  /** `line` is counted from 1. The problem does not quote the text, because it can be a secret. */
  | { readonly line?: number; readonly problem: string };

export function readToml(text: string): TomlResult {
  try {
    const document = new Table(Object.create(null));
    for (const node of parseTOML(text).body[0].body) addNode(document, node);
    return { document: document.values, lineOf: (path) => lineOf(document, path) };
  } catch (error) {
    // The parser recurses into nested arrays and tables, and passes the characters of a value as arguments.
    if (error instanceof RangeError)
      return { problem: "is nested too deeply, or has a value of more than 500,000 characters" };
    if (error instanceof ParseError) return problemOf(error, text);
    throw error;
  }
}

type Key = string | number;

/** A table, or an array of tables, whose keys are numbers. */
class Table {
  /** An object without a prototype, so that `__proto__` is an ordinary key. */
  readonly values: Record<Key, unknown>;
  readonly #lines = new Map<Key, number>();
  readonly #tables = new Map<Key, Table>();

  constructor(values: Record<Key, unknown>) {
    this.values = values;
  }

  set(key: Key, value: unknown, line: number): void {
    this.values[key] = value;
    this.#lines.set(key, line);
  }

  /** The table at a key; creates it if it is missing. */
  enter(key: Key, line: number, isArray: boolean): Table {
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const table = new Table(isArray ? ([] as unknown as Record<Key, unknown>) : Object.create(null));
    this.#tables.set(key, table);
    this.set(key, table.values, line);
    return table;
  }

  lineOf(key: Key): number | undefined {
    return this.#lines.get(key);
  }

  tableAt(key: Key): Table | undefined {
    return this.#tables.get(key);
  }
}

function addNode(document: Table, node: AST.TOMLKeyValue | AST.TOMLTable): void {
  if (node.type === "TOMLKeyValue") return addValue(document, node);
  const table = descend(document, node.resolvedKey, node.loc.start.line);
  for (const entry of node.body) addValue(table, entry);
}

function addValue(table: Table, { key, value, loc }: AST.TOMLKeyValue): void {
  const { line } = loc.start;
  const path = getStaticTOMLValue(key);
  if (value.type === "TOMLInlineTable") {
    const inner = descend(table, path, line);
    for (const entry of value.body) addValue(inner, entry);
  } else {
    descend(table, path.slice(0, -1), line).set(path.at(-1) ?? "", contentOf(value), line);
  }
}

function contentOf(node: AST.TOMLContentNode): unknown {
  if (node.type === "TOMLArray") return node.elements.map(contentOf);
  if (node.type !== "TOMLInlineTable") return getStaticTOMLValue(node);
  const table = new Table(Object.create(null));
  for (const entry of node.body) addValue(table, entry);
  return table.values;
}

function descend(from: Table, path: readonly Key[], line: number): Table {
  let table = from;
  for (const [index, key] of path.entries()) {
    table = table.enter(key, line, typeof path[index + 1] === "number");
  }
  return table;
}

function lineOf(document: Table, path: readonly string[]): number | undefined {
  let table: Table | undefined = document;
  let line: number | undefined;
  for (const key of path) {
    const found: number | undefined = table?.lineOf(key);
    if (found === undefined) break;
    line = found;
    table = table?.tableAt(key);
  }
  return line;
}

function problemOf({ index, message }: ParseError, text: string): TomlResult {
  const before = text.slice(0, index).trimEnd();
  if (before.endsWith("=")) {
    const missing = index >= text.length || text.slice(before.length, index).includes("\n");
    const problem = missing ? "a value is missing after =" : "a value cannot be read; put text in quotes";
    return { line: lineAt(before), problem };
  }
  const problem = `cannot be read as TOML: ${message}`;
  // When something is missing, the parser reports the position of the next token, perhaps on a later line.
  if (/^Expected|on the same line/.test(message)) return { line: lineAt(before), problem };
  const at = /unterminated string/i.test(message) ? (openingOf(text, index) ?? index) : index;
  return { line: lineAt(text.slice(0, at)), problem };
}

/** Where an unterminated multi-line string begins. The parser reports the end of the text. */
function openingOf(text: string, index: number): number | undefined {
  if (index < text.length) return undefined;
  const quotes = Math.max(text.lastIndexOf('"""'), text.lastIndexOf("'''"));
  const previous = text.slice(0, Math.max(quotes, 0)).trimEnd().at(-1);
  return previous !== undefined && "=[,".includes(previous) ? quotes : undefined;
}

const lineAt = (before: string) => before.split("\n").length;

/** Whether a value of a document is a table. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
