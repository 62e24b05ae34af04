/** Every export has a docstring, because the docstrings are the reference of the library. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";

/** The names that a module exports, each with the file that declares it. */
function exportsOf(file: URL): [name: string, declaredIn: URL][] {
  const source = readFileSync(file, "utf8");
  const all = [...source.matchAll(/export \* from "(.*?)"/g)].flatMap(([, from = ""]) =>
    exportsOf(new URL(from, file)),
  );
  const named = [...source.matchAll(/export (?:type )?\{([^}]*)\} from "(.*?)"/g)].flatMap(
    ([, list = "", from = ""]) =>
      list
        .split(",")
        .map((name) => name.replace(/\btype\b/, "").trim())
        .filter((name) => name !== "")
        .map((name): [string, URL] => [name, new URL(from, file)]),
  );
  return [...all, ...named];
}

const EXPORTS = exportsOf(new URL("../src/index.ts", import.meta.url));

test.each(EXPORTS)("%s has a docstring", (name, file) => {
  const source = readFileSync(file, "utf8");
  const declaration = `export (?:abstract |async )?(?:class|function|const|interface|type) ${name}\\b`;
  expect(source).toMatch(new RegExp(declaration));
  expect(source).toMatch(new RegExp(`\\*/\\n${declaration}`));
});
