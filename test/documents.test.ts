import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

const PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...new Bun.Glob("docs/**/*.md").scanSync(ROOT)];
const textOf = (page: string) => Bun.file(join(ROOT, page)).text();

test.each(PAGES)("every link of %s to a file works", async (page) => {
  const text = await textOf(page);
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = ""]) => path);
  expect(links.filter((path) => !existsSync(join(ROOT, page, "..", path)))).toEqual([]);
});

test.each(PAGES)("every link of %s to a heading works", async (page) => {
  const links = [...(await textOf(page)).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)];
  const broken: string[] = [];
  for (const [, path = "", anchor = ""] of links) {
    const target = path === "" ? page : join(page, "..", path);
    if (!anchorsOf(await textOf(target)).has(anchor)) broken.push(`${target}#${anchor}`);
  }
  expect(broken).toEqual([]);
});

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("docs/api.md has every event", async () => {
  const source = await textOf("src/observe/events.ts");
  const types = [...source.matchAll(/\btype: "([a-z ]+)"/g)].map(([, type]) => type);
  const page = await textOf("docs/api.md");
  expect(types.length).toBeGreaterThan(30);
  expect(types.filter((type) => !page.includes(`\`${type}\``))).toEqual([]);
});

test("every file that docs/installing.md names exists", async () => {
  const text = await textOf("docs/installing.md");
  const files = [...text.matchAll(/(?<![\w/])(?:packaging|man|examples)\/[\w./@-]+/g)].map(([path]) => path);
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
