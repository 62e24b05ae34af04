/**
 * Makes dist/, which is what the npm package holds beside package.json: JavaScript for Bun with source maps, and
 * declarations. The single-file binary is another script's.
 */

import { rmSync } from "node:fs";
import { $ } from "bun";

const ROOT = new URL("..", import.meta.url).pathname;
const OUT = `${ROOT}dist`;

/** What a user can import or run, by its place in src/ and in dist/. */
const ENTRIES = ["index.ts", "framing/index.ts", "cli/udptunnel.ts"];

for (const made of ["index.js", "framing", "cli", "types", "chunks"])
  rmSync(`${OUT}/${made}`, { recursive: true, force: true });

await Bun.build({
  entrypoints: ENTRIES.map((entry) => `${ROOT}src/${entry}`),
  root: `${ROOT}src`,
  outdir: OUT,
  target: "bun",
  format: "esm",
  packages: "external",
  splitting: true, // what only Linux, or only the program, needs is loaded only there
  sourcemap: "linked",
  naming: { chunk: "chunks/[name]-[hash].[ext]" },
});

await $`node_modules/.bin/tsc -p tsconfig.package.json`.cwd(ROOT);
for await (const file of new Bun.Glob("**/*.d.ts").scan({ cwd: `${OUT}/types`, absolute: true })) {
  const text = await Bun.file(file).text();
  // There are no .ts files in the package; `.js` is what every resolver looks a declaration up by.
  await Bun.write(file, text.replaceAll(/(["'])(\.{1,2}\/[^"']*)\.ts\1/g, "$1$2.js$1"));
}
