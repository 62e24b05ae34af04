/**
 * Makes dist/udptunnel, the program and Bun in one file, for the system it is run on. Nothing is downloaded.
 *
 * The file must not be stripped: the program is kept where `strip` cuts, and what is left is Bun alone.
 */

import packageJson from "../package.json" with { type: "json" };

const root = new URL("..", import.meta.url).pathname;
const outfile = `${root}dist/udptunnel`;

await Bun.build({
  entrypoints: [`${root}src/cli/udptunnel.ts`],
  minify: { syntax: true, whitespace: true },
  compile: {
    outfile,
    // What lies in the folder it is started from must not change what it does.
    autoloadDotenv: false,
    autoloadBunfig: false,
  },
});

const { stdout, exitCode } = Bun.spawnSync([outfile, "--version"]);
const version = stdout.toString().trim();
if (exitCode !== 0 || version !== `udptunnel ${packageJson.version}`) {
  throw new Error(`${outfile} --version ended with ${exitCode} and said "${version}"`);
}
process.stdout.write(`dist/udptunnel: ${version}, ${(Bun.file(outfile).size / 1e6).toFixed(0)} MB\n`);
