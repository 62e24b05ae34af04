/**
 * Checks the limits of CONTRIBUTING.md that the linter does not check. The linter checks the length of
 * functions.
 */

import { expect, test } from "bun:test";
import { join } from "node:path";

const FILE_LINES_MAX = 300;
const COLUMNS_MAX = 110;
/**
 * A line of a comment, or a comment after code. The formatter breaks code at the same width, except strings.
 */
const COMMENT = /^\s*(\/\/|\/\*|\*|#)|\s\/\/ /;
/** The tests with the original program stay as they are. */
const UNCHANGED = "test/interop/original.test.ts";

const ROOT = join(import.meta.dir, "..");
const FILES = [
  "{src,test,bench,scripts,examples,packaging}/**/*.{ts,py,c,toml,service}",
  "scripts/{install-peers,release}",
  ".ci/run",
];
const sources = await Promise.all(
  FILES.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: ROOT, dot: true })]).map(
    async (path) => {
      const text = await Bun.file(join(ROOT, path)).text();
      return { path, lines: text.trimEnd().split("\n") };
    },
  ),
);

test("every file is within the limit of lines", () => {
  expect(sources.length).toBeGreaterThan(300);
  const long = sources.filter(({ lines }) => lines.length > FILE_LINES_MAX);
  expect(long.map(({ path, lines }) => `${path}: ${lines.length} lines`)).toEqual([]);
});

test("every comment is within the limit of columns", () => {
  const wide = sources.flatMap(({ path, lines }) =>
    path === UNCHANGED
      ? []
      : lines.flatMap((line, index) =>
          line.length > COLUMNS_MAX && COMMENT.test(line) ? [`${path}:${index + 1}`] : [],
        ),
  );
  expect(wide).toEqual([]);
});
