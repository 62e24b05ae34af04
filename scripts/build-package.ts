/**
 * Builds the files of the npm package in dist/: JavaScript for Bun with source maps, and type declarations.
 * For the single-file program see build-binary.ts.
 */

import { rmSync } from "node:fs";
import { $ } from "bun";

const ROOT = new URL("..", import.meta.url).pathname;
const OUT = `${ROOT}dist`;

/** The files that a user can import or run, by their path in src/ and dist/. */
const ENTRIES = ["index.ts", "framing/index.ts", "cli/udptunnel.ts"];

for (const output of ["index.js", "framing", "cli", "types", "chunks"])
  rmSync(`${OUT}/${output}`, { recursive: true, force: true });

await Bun.build({
  entrypoints: ENTRIES.map((entry) => `${ROOT}src/${entry}`),
  root: `${ROOT}src`,
  outdir: OUT,
  target: "bun",
  format: "esm",
  packages: "external",
  splitting: true, // code for Linux only, or for the program only, is loaded only there
  sourcemap: "linked",
  naming: { chunk: "chunks/[name]-[hash].[ext]" },
});

await $`node_modules/.bin/tsc -p tsconfig.package.json`.cwd(ROOT);
for await (const file of new Bun.Glob("**/*.d.ts").scan({ cwd: `${OUT}/types`, absolute: true })) {
  const text = await Bun.file(file).text();
  // The package has no .ts files. Every resolver finds a declaration by the name of its .js file.
  await Bun.write(file, text.replaceAll(/(["'])(\.{1,2}\/[^"']*)\.ts\1/g, "$1$2.js$1"));
}
