/** docs/architecture.md says who may import whom; these tests hold the sources to it. */

import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { OPTIONS } from "../src/options/table.ts";

const ROOT = join(import.meta.dir, "..");
const PAGE = await Bun.file(join(ROOT, "docs/architecture.md")).text();

/** The page's table: each folder or file of src, and what it may import besides itself. */
const MAY_IMPORT: ReadonlyMap<string, readonly string[]> = new Map(
  [...PAGE.matchAll(/^\| `([\w./]+)` \|.*\|([^|]*)\|$/gm)].map(([, folder = "", allowed = ""]) => [
    folder,
    [...allowed.matchAll(/`([\w./]+)`/g)].map(([, name = ""]) => name),
  ]),
);

interface Source {
  /** Below src. */
  readonly path: string;
  /** Its folder below src, or itself. */
  readonly part: string;
  /** Without comments and types. */
  readonly code: string;
  readonly imports: readonly string[];
}

const transpiler = new Bun.Transpiler({ loader: "ts" });
const sources: Source[] = [];
for (const path of new Bun.Glob("**/*.ts").scanSync(join(ROOT, "src"))) {
  // Neither of the transpiler's calls takes a first line for the shell.
  const text = (await Bun.file(join(ROOT, "src", path)).text()).replace(/^#!.*/, "");
  // The scan leaves types out, and the layers hold for them, too.
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

/** What one source imports of the others, as paths below src. */
function ownImports({ path, imports }: Source): string[] {
  return imports.filter((name) => name.startsWith(".")).map((name) => join(dirname(path), name));
}

/** Lines `path: what` of the sources outside `allowed` whose code says it. */
function saying(pattern: RegExp, allowed: (path: string) => boolean): string[] {
  return sources.flatMap(({ path, code }) =>
    allowed(path) ? [] : [...code.matchAll(pattern)].map(([what]) => `${path}: ${what}`),
  );
}

test("the table has every folder of src, and nothing else", () => {
  expect([...MAY_IMPORT.keys()].toSorted()).toEqual([...new Set(sources.map(({ part }) => part))].toSorted());
});

test("nothing imports what the table does not let it", () => {
  const wrong = sources.flatMap((source) =>
    ownImports(source)
      .filter((target) => !target.startsWith(".."))
      .filter((target) => partOf(target) !== source.part)
      .filter((target) => !MAY_IMPORT.get(source.part)?.includes(partOf(target)))
      .map((target) => `${source.path} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test("only the program looks outside src, for its version", () => {
  const outside = sources.flatMap((source) =>
    ownImports(source).flatMap((target) =>
      target.startsWith("..") ? [`${source.part} imports ${target}`] : [],
    ),
  );
  expect([...new Set(outside)]).toEqual(["cli imports ../package.json"]);
});

test("framing is pure: no packages, nothing of Bun, no clock, no timers, no chance", () => {
  const foreign = sources.filter(({ part }) => part === "framing").flatMap(({ imports }) => imports);
  expect(foreign.filter((name) => !name.startsWith("./"))).toEqual([]);
  const impure =
    /\b(Bun|process|performance|Date|Math\.random|set(Timeout|Interval|Immediate)|queueMicrotask)\b/g;
  expect(saying(impure, (path) => !path.startsWith("framing/"))).toEqual([]);
});

test("Bun is for net/bun, names for net, foreign functions for net/linux", () => {
  expect(saying(/\bBun\.\w+/g, (path) => path.startsWith("net/bun/"))).toEqual([]);
  const importing = (names: RegExp, folder: string) =>
    sources.filter(
      ({ path, imports }) => !path.startsWith(folder) && imports.some((name) => names.test(name)),
    );
  expect(importing(/^node:(dgram|dns|tls)/, "net/").map(({ path }) => path)).toEqual([]);
  expect(importing(/^bun:ffi$/, "net/linux/").map(({ path }) => path)).toEqual([]);
});

test("only the program ends the process, and nothing writes to the console", () => {
  expect(saying(/\bprocess\.(exit|abort|kill|reallyExit)\b/g, (path) => path.startsWith("cli/"))).toEqual([]);
  expect(saying(/\bconsole\.\w+/g, () => false)).toEqual([]);
});

test("only cli and the help texts spell options for the command line; messages get the spelling from their caller", () => {
  const spellers = (path: string) => path.startsWith("cli/") || path.startsWith("options/definitions/");
  const names = OPTIONS.map(({ name }) => name).join("|");
  const long = new RegExp(`--(${names})(?![\\w-])`, "g");
  // `-s` in a string, but not `ip -s link`, a command of the system.
  const letters = OPTIONS.map(({ short = "" }) => short.replace(/\d/, "")).join("");
  const short = new RegExp(`(?<=[\\s("'\`])(?<!\\bip )-[${letters}](?=[\\s)"'\`,.:;?])`, "g");
  expect([...saying(long, spellers), ...saying(short, spellers)]).toEqual([]);
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
