/**
 * Checks src against docs/architecture.md: its table lists which folder may import which. The linter rejects
 * circles of imports (noImportCycles, types included).
 */

import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { OPTIONS } from "../src/options/table.ts";

const ROOT = join(import.meta.dir, "..");
const PAGE = await Bun.file(join(ROOT, "docs/architecture.md")).text();

/** The table of the page: each folder or file of src, and what it may import besides itself. */
const MAY_IMPORT: ReadonlyMap<string, readonly string[]> = new Map(
  [...PAGE.matchAll(/^\| `([\w./]+)` \|.*\|([^|]*)\|$/gm)].map(([, folder = "", allowed = ""]) => [
    folder,
    [...allowed.matchAll(/`([\w./]+)`/g)].map(([, name = ""]) => name),
  ]),
);

interface Source {
  /** The path below src. */
  readonly path: string;
  /** Its folder below src; for a file in src itself, the file. */
  readonly part: string;
  /** The code without comments and types. */
  readonly code: string;
  readonly imports: readonly string[];
}

const transpiler = new Bun.Transpiler({ loader: "ts" });
const sources: Source[] = [];
for (const path of new Bun.Glob("**/*.ts").scanSync(join(ROOT, "src"))) {
  // The transpiler does not accept a first line for the shell.
  const text = (await Bun.file(join(ROOT, "src", path)).text()).replace(/^#!.*/, "");
  // The scan ignores imports of types, but the table applies to them too.
  const untyped = text.replaceAll(/^(import|export) type (?=[{*])/gm, "$1 ");
  sources.push({
    path,
    part: partOf(path),
    code: transpiler.transformSync(text),
    imports: transpiler.scanImports(untyped).map((found) => found.path),
  });
}

function partOf(path: string): string {
  return path.includes("/") ? dirname(path) : path;
}

/** The imports of one source from this repository, as paths below src. */
function localImports({ path, imports }: Source): string[] {
  return imports.filter((name) => name.startsWith(".")).map((name) => join(dirname(path), name));
}

/** Finds a pattern in the code of sources that are not `allowed`. @returns a line `path: match` for each. */
function matches(pattern: RegExp, allowed: (path: string) => boolean): string[] {
  return sources.flatMap(({ path, code }) =>
    allowed(path) ? [] : [...code.matchAll(pattern)].map(([match]) => `${path}: ${match}`),
  );
}

test("the table has every folder of src, and no other rows", () => {
  expect([...MAY_IMPORT.keys()].toSorted()).toEqual([...new Set(sources.map(({ part }) => part))].toSorted());
});

test("every import is allowed by the table", () => {
  const wrong = sources.flatMap((source) =>
    localImports(source)
      .filter((target) => !target.startsWith(".."))
      .filter((target) => partOf(target) !== source.part)
      .filter((target) => !MAY_IMPORT.get(source.part)?.includes(partOf(target)))
      .map((target) => `${source.path} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test("every import that the table allows is used", () => {
  const used = new Set(
    sources.flatMap((source) =>
      localImports(source).map((target) => `${source.part} imports ${partOf(target)}`),
    ),
  );
  const allowed = [...MAY_IMPORT].flatMap(([part, names]) => names.map((name) => `${part} imports ${name}`));
  expect(allowed.filter((entry) => !used.has(entry))).toEqual([]);
});

test("only cli imports from outside src: package.json, for the version", () => {
  const outside = sources.flatMap((source) =>
    localImports(source).flatMap((target) =>
      target.startsWith("..") ? [`${source.part} imports ${target}`] : [],
    ),
  );
  expect([...new Set(outside)]).toEqual(["cli imports ../package.json"]);
});

test("framing is pure: no packages, no Bun, no clock, no timers, no randomness", () => {
  const foreign = sources.filter(({ part }) => part === "framing").flatMap(({ imports }) => imports);
  expect(foreign.filter((name) => !name.startsWith("./"))).toEqual([]);
  const impure =
    /\b(Bun|process|performance|Date|Math\.random|set(Timeout|Interval|Immediate)|queueMicrotask)\b/g;
  expect(matches(impure, (path) => !path.startsWith("framing/"))).toEqual([]);
});

test("only net/bun uses Bun, only net resolves names, only net/linux imports bun:ffi", () => {
  expect(matches(/\bBun\.\w+|= Bun\b/g, (path) => path.startsWith("net/bun/"))).toEqual([]);
  const importing = (names: RegExp, folder: string) =>
    sources.filter(
      ({ path, imports }) => !path.startsWith(folder) && imports.some((name) => names.test(name)),
    );
  expect(importing(/^node:(dgram|dns|tls)/, "net/").map(({ path }) => path)).toEqual([]);
  expect(importing(/^bun$/, "net/bun/").map(({ path }) => path)).toEqual([]);
  expect(importing(/^bun:ffi$/, "net/linux/").map(({ path }) => path)).toEqual([]);
});

test("only cli ends the process, and no file writes to the console", () => {
  expect(matches(/\bprocess\.(exit|abort|kill|reallyExit)\b/g, (path) => path.startsWith("cli/"))).toEqual(
    [],
  );
  expect(matches(/\bconsole\.\w+/g, () => false)).toEqual([]);
});

test("only cli and the help texts spell options for the command line; messages get the spelling from their caller", () => {
  const spellers = (path: string) => path.startsWith("cli/") || path.startsWith("options/definitions/");
  const names = OPTIONS.map(({ name }) => name).join("|");
  const long = new RegExp(`--(${names})(?![\\w-])`, "g");
  // `-s` in a string, but not `ip -s link`, a command of the system.
  const letters = OPTIONS.map(({ short = "" }) => short.replace(/\d/, "")).join("");
  const short = new RegExp(`(?<=[\\s("'\`])(?<!\\bip )-[${letters}](?=[\\s)"'\`,.:;?])`, "g");
  expect([...matches(long, spellers), ...matches(short, spellers)]).toEqual([]);
});

test("code that spells options by their keys uses keys of the table", () => {
  const keys = new Set(OPTIONS.map(({ key }) => key));
  const used = sources.flatMap(({ code }) =>
    [...code.matchAll(/\bnameOf\("(\w+)"\)/g)].map(([, key = ""]) => key),
  );
  expect(used.length).toBeGreaterThan(20);
  expect(used.filter((key) => !keys.has(key))).toEqual([]);
});

test("the files that the page names exist", async () => {
  const named = [...PAGE.matchAll(/`((?:src|test)\/[\w./-]+\.ts)`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(15);
  const found = await Promise.all(named.map((path) => Bun.file(join(ROOT, path)).exists()));
  expect(named.filter((_, index) => !found[index])).toEqual([]);
});
