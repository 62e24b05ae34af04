/**
 * Writes between their markers the table of options, in the README and as the manual page's OPTIONS, and the
 * README's figures from bench/results. With `--check` nothing is written, and the exit code is 1 when one of
 * them is stale. Other files may be named, `.1` for a manual page.
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

/** Puts the generated lines where the file's markers are, or with `--check` only compares. */
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
