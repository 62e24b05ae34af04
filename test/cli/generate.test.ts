import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPTIONS } from "../../src/options/table.ts";

const SCRIPT = join(import.meta.dir, "../../scripts/generate.ts");
const folder = await mkdtemp(join(tmpdir(), "generate-"));
const file = join(folder, "README.md");
afterAll(() => rm(folder, { recursive: true }));

const generate = (...args: string[]) => generateIn(file, ...args);
const generateIn = (at: string, ...args: string[]) =>
  Bun.spawnSync([process.execPath, SCRIPT, ...args, at]).exitCode;

test("generate writes the README's tables between their markers, and --check detects stale ones", async () => {
  const figures = "<!-- figures:begin -->\nstale text\n<!-- figures:end -->\n";
  await Bun.write(
    file,
    `before\n<!-- options:begin -->\nstale text\n<!-- options:end -->\n${figures}after\n`,
  );
  expect(generate("--check")).toBe(1);
  expect(generate()).toBe(0);
  expect(generate("--check")).toBe(0);
  const text = await Bun.file(file).text();
  expect(text).toStartWith("before\n<!-- options:begin -->\n");
  expect(text).toContain("| carried when flooded");
  expect(text).toEndWith("<!-- figures:end -->\nafter\n");
  expect(text).not.toContain("stale text");
  const rows = text.split("\n").filter((line) => /^\| `/.test(line));
  expect(rows).toHaveLength(OPTIONS.length);
  // A bar inside a cell would add one.
  for (const row of rows) expect(row.replaceAll("\\|", "").match(/\|/g)).toHaveLength(4);
});

test("the generated text in the repository is current", () => {
  expect(Bun.spawnSync([process.execPath, SCRIPT, "--check"]).exitCode).toBe(0);
});

test("generate writes the manual page's options between its markers, and --check detects stale ones", async () => {
  const page = join(folder, "page.1");
  await Bun.write(page, '.\\" options:begin\nstale text\n.\\" options:end\nafter\n');
  expect(generateIn(page, "--check")).toBe(1);
  expect(generateIn(page)).toBe(0);
  expect(generateIn(page, "--check")).toBe(0);
  const lines = (await Bun.file(page).text()).split("\n");
  expect(lines).not.toContain("stale text");
  expect(lines.filter((line) => line === ".TP")).toHaveLength(OPTIONS.length);
  expect(lines).toContain("\\fB\\-p, \\-\\-per\\-source\\fR");
  expect(lines).toContain("\\fB\\-\\-bind\\fR \\fIADDR[/PORT]\\fR");
});

test("a file without markers is not changed", async () => {
  await Bun.write(file, "nothing\n");
  expect(generate()).toBe(1);
  expect(await Bun.file(file).text()).toBe("nothing\n");
});
