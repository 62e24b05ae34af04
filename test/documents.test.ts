import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

test.each(["README.md", "CONTRIBUTING.md", "SECURITY.md", ...new Bun.Glob("docs/**/*.md").scanSync(ROOT)])(
  "every link of %s to a file works",
  async (page) => {
    const text = await Bun.file(join(ROOT, page)).text();
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = ""]) => path);
    expect(links.filter((path) => !existsSync(join(ROOT, page, "..", path)))).toEqual([]);
  },
);

test("every file that docs/installing.md names exists", async () => {
  const text = await Bun.file(join(ROOT, "docs/installing.md")).text();
  const files = [...text.matchAll(/(?<![\w/])(?:packaging|man|examples)\/[\w./@-]+/g)].map(([path]) => path);
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
