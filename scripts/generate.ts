/**
 * Writes generated text between its markers: the table of options in the README and in the manual page, and
 * the README's figures from bench/results. With `--check`, it writes nothing and exits with 1 if a text is
 * stale. Arguments name other files; a name in `.1` is a manual page.
 */

import { parseArgs } from "node:util";
import { benchmarkFigures, type Generated, optionsSection, optionsTable } from "./generated-texts.ts";

const root = new URL("..", import.meta.url).pathname;
const { values, positionals } = parseArgs({
  args: Bun.argv.slice(2),
  options: { check: { type: "boolean" } },
  allowPositionals: true,
});

const files = positionals.length > 0 ? positionals : [`${root}README.md`, `${root}man/udptunnel.1`];
for (const file of files) {
  if (file.endsWith(".1")) await refresh(file, optionsSection());
  else for (const part of [optionsTable(), await benchmarkFigures()]) await refresh(file, part);
}

/** Replaces the text between the markers of the file; with `--check`, only compares it. */
async function refresh(file: string, { begin, end, lines }: Generated): Promise<void> {
  const text = await Bun.file(file).text();
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) {
    fail(`${file} lacks ${begin} or, after it, ${end}; put both where they belong`);
    return;
  }
  const fresh = text.slice(0, from) + begin + lines + text.slice(to);
  if (!values.check) await Bun.write(file, fresh);
  else if (fresh !== text) fail(`${file} is stale; run scripts/generate.ts`);
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
