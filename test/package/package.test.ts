/** The npm package as users get it: built, packed, and added to an empty project. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../scripts/free-ports.ts";
import { RunningProgram } from "../../scripts/running-program.ts";
import { APP_HOST, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { PackedProject, ROOT, run } from "./packed-project.ts";

const BUILD_TIMEOUT_MS = 60_000;
const API = readFileSync(join(ROOT, "docs/api.md"), "utf8");
const SNIPPETS = [...API.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);

let project: PackedProject;
beforeAll(() => {
  project = new PackedProject();
}, BUILD_TIMEOUT_MS);
afterAll(() => project?.[Symbol.dispose]());

const tool = (name: string, ...args: string[]) =>
  run(ROOT, process.execPath, join("node_modules/.bin", name), ...args);

test("publint reports no problem", () => {
  expect(tool("publint", project.tarball, "--strict")).toContain("All good!");
});

test("attw finds the types of every entry, for ES modules only: Bun does not need CommonJS", () => {
  const output = tool("attw", project.tarball, "--profile", "esm-only", "--format", "json");
  const { analysis } = JSON.parse(output) as { analysis: { entrypoints: object } };
  expect(Object.keys(analysis.entrypoints)).toEqual([".", "./framing"]);
});

test("the package holds the built files and four documents, and no development files", () => {
  const files = run(project.folder, "tar", "-tzf", project.tarball).trim().split("\n");
  const others = files.filter((file) => !/^package\/dist\/.*\.(js|js\.map|d\.ts)$/.test(file));
  expect(others.sort()).toEqual(
    ["CHANGELOG.md", "LICENSE", "README.md", "package.json"].map((name) => `package/${name}`),
  );
});

test("docs/api.md names every export, and its programs use every exported value", () => {
  const source = readFileSync(join(ROOT, "src/index.ts"), "utf8");
  const framing = readFileSync(join(ROOT, "src/framing/index.ts"), "utf8");
  const lists = [...`${source}\n${framing}`.matchAll(/\{([^}]*)\} from/g)].map(([, list = ""]) => list);
  const names = lists
    .flatMap((list) => list.split(","))
    .map((name) => name.replace(/\btype\b/, "").trim())
    .filter((name) => name !== "");
  expect(names.length).toBeGreaterThan(30);
  const code = SNIPPETS.join("\n");
  const wordPattern = (name: string) => new RegExp(`\\b${name}\\b`);
  expect(names.filter((name) => !wordPattern(name).test(code) && !wordPattern(name).test(API))).toEqual([]);
  const values = names.filter(
    (name) => !new RegExp(`type ${name}\\b`).test(source) && /^[A-Z_]+$|^[a-z]/.test(name),
  );
  expect(values.filter((name) => !wordPattern(name).test(code))).toEqual([]);
});

describe("the programs in docs/api.md", () => {
  test.each(SNIPPETS.map((code, index) => [index, code] as const))(
    "number %i prints what its comments announce",
    (index, code) => {
      project.write(`snippet-${index}.ts`, code);
      const printed = run(project.folder, process.execPath, `snippet-${index}.ts`);
      const expected = [...code.matchAll(/\/\/ prints: (.*?)(?= \/\/ prints:|$)/gm)].map(([, line]) => line);
      expect(expected.length).toBeGreaterThan(0);
      expect(printed.trimEnd().split("\n")).toEqual(expected as string[]);
    },
  );

  test("have correct types by the declarations of the package, and so has the example", () => {
    const compilerOptions = {
      ...{ strict: true, noEmit: true, target: "esnext", lib: ["esnext"], types: ["bun-types"] },
      ...{ module: "esnext", moduleResolution: "bundler", moduleDetection: "force", skipLibCheck: false },
    };
    const paths = { "bun-types": ["./node_modules/bun-types"] };
    for (const [index, code] of SNIPPETS.entries()) project.write(`snippet-${index}.ts`, code);
    project.take("examples/syslog-collector.ts");
    project.write(
      "tsconfig.json",
      JSON.stringify({ compilerOptions: { ...compilerOptions, paths }, include: ["*.ts"] }),
    );
    run(project.folder, join(ROOT, "node_modules/.bin/tsc"), "-p", ".");
  });
});

test("the example collects what the packaged program relays", async () => {
  project.take("examples/syslog-collector.ts");
  const command = [process.execPath, "syslog-collector.ts", `${TUNNEL_HOST}/0`];
  const collector = Bun.spawn(command, { cwd: project.folder, stdout: "pipe", stderr: "pipe" });
  try {
    const output = new TextDecoder().decode((await collector.stderr.getReader().read()).value);
    const tcpPort = /port (\d+)/.exec(output)?.[1];
    const udpPort = await freePort();
    using app = await UdpApp.open(udpPort);
    const ends = ["-c", `${TUNNEL_HOST}/${tcpPort}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udpPort}`];
    const bin = join(project.folder, "node_modules/.bin/udptunnel");
    await using tunnel = new RunningProgram([process.execPath, bin, "-v", ...ends]);
    await tunnel.said(/connected/);
    app.send("<34>su root failed");
    const line = new TextDecoder().decode((await collector.stdout.getReader().read()).value);
    expect(JSON.parse(line)).toEqual({
      from: TUNNEL_HOST,
      facility: 4,
      severity: "critical",
      message: "su root failed",
    });
    await tunnel.stop();
  } finally {
    collector.kill("SIGTERM");
    expect(await collector.exited).toBe(0);
  }
});

test("bunx runs the program", () => {
  const version = run(project.folder, process.execPath, "x", "--no-install", "udptunnel", "--version");
  expect(version).toMatch(/^udptunnel \d+\.\d+\.\d+\n$/);
});
