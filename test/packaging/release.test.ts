/** Runs scripts/release in a clone, with stand-ins for npm and npx that only log their calls. */

import { afterAll, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const FILES = ["CHANGELOG.md", "package.json", "man/udptunnel.1", "scripts/release"];
const folder = await mkdtemp(join(tmpdir(), "release-"));
const clone = join(folder, "clone");
const calls = join(folder, "calls");
afterAll(() => rm(folder, { recursive: true }));

const { PATH } = Bun.env;
const ENVIRONMENT = {
  ...Bun.env,
  PATH: `${folder}:${PATH}`,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Somebody",
  GIT_AUTHOR_EMAIL: "somebody@example.com",
  GIT_COMMITTER_NAME: "Somebody",
  GIT_COMMITTER_EMAIL: "somebody@example.com",
};

function runs(...command: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd: clone, env: ENVIRONMENT });
  return { output: stdout.toString() + stderr.toString(), exitCode };
}

const release = (...args: string[]) => runs("scripts/release", ...args);
const git = (...args: string[]) => runs("git", ...args).output.trim();
const text = (file: string) => readFile(join(clone, file), "utf8");

async function standIn(program: "npm" | "npx", exitCode: number): Promise<void> {
  const file = join(folder, program);
  await writeFile(file, `#!/bin/sh\necho ${program} "$@" >>'${calls}'\nexit ${exitCode}\n`);
  await chmod(file, 0o755);
}

/** Makes a repository of one commit with the files that a release changes. */
beforeEach(async () => {
  await rm(clone, { recursive: true, force: true });
  for (const file of FILES) await Bun.write(join(clone, file), Bun.file(join(ROOT, file)));
  await chmod(join(clone, "scripts/release"), 0o755);
  const heading = "## [Unreleased]\n\n";
  const head = (await text("CHANGELOG.md")).split("## [")[0];
  await writeFile(join(clone, "CHANGELOG.md"), `${head}${heading}### Added\n\n- Something.\n`);
  git("init", "-q");
  git("add", ".");
  git("commit", "-q", "-m", "Begin");
  await writeFile(calls, "");
  await standIn("npm", 0);
  await standIn("npx", 0);
});

async function expectUntouched(): Promise<void> {
  expect(git("status", "--porcelain")).toBe("");
  expect(git("rev-list", "--count", "HEAD")).toBe("1");
  expect(git("tag")).toBe("");
}

test("a release runs the checks, dates the changes, tries to publish, commits and tags", async () => {
  const { output, exitCode } = release("1.2.3");
  expect({ output, exitCode }).toMatchObject({ exitCode: 0 });
  expect(await readFile(calls, "utf8")).toBe("npx bun run check\nnpm publish --dry-run\n");
  const changelog = await text("CHANGELOG.md");
  const [today] = changelog.match(/\d{4}-\d\d-\d\d/) ?? [];
  expect(changelog).toEndWith(`## [Unreleased]\n\n## [1.2.3] - ${today}\n\n### Added\n\n- Something.\n`);
  expect(JSON.parse(await text("package.json"))).toMatchObject({ name: "udptunnel", version: "1.2.3" });
  expect(await text("man/udptunnel.1")).toContain(
    `.TH UDPTUNNEL 1 ${today} "udptunnel 1.2.3" "User Commands"\n`,
  );
  expect(git("status", "--porcelain")).toBe("");
  expect(git("log", "-1", "--format=%s")).toBe("Release 1.2.3");
  expect(git("rev-parse", "v1.2.3^{commit}")).toBe(git("rev-parse", "HEAD"));
  expect(release("1.2.4")).toMatchObject({ exitCode: 1 });
});

test("a dry run prints what a release does, and changes nothing", async () => {
  const { output, exitCode } = release("1.2.3", "--dry-run");
  expect(exitCode).toBe(0);
  for (const step of ["bun run check", "edit CHANGELOG.md", "publish --dry-run", "git commit", "git tag"]) {
    expect(output).toContain(step);
  }
  expect(await readFile(calls, "utf8")).toBe("");
  await expectUntouched();
});

test.each(["npx", "npm"] as const)(
  "when %s fails, nothing is released and the files are unchanged",
  async (program) => {
    await standIn(program, 1);
    expect(release("1.2.3").exitCode).not.toBe(0);
    await expectUntouched();
  },
);

test.each([[], ["1.2"], ["v1.2.3"], ["1.2.3-rc.1"], ["01.2.3"], ["1.2.3", "--really"]])(
  "invalid arguments are rejected: %p",
  async (...args) => {
    expect(release(...args).exitCode).toBe(1);
    await expectUntouched();
  },
);

test("a working tree with a changed or a new file is rejected", async () => {
  for (const [file, mend] of [
    ["package.json", "checkout"],
    ["new", "clean"],
  ] as const) {
    await writeFile(join(clone, file), "changed\n");
    const { output, exitCode } = release("1.2.3");
    expect({ output, exitCode }).toEqual({ output: expect.stringContaining("dirty"), exitCode: 1 });
    git(...(mend === "clean" ? ["clean", "-qf"] : ["checkout", "-q", "."]));
  }
  await expectUntouched();
});

test("a version that is already tagged, and a changelog without changes, are rejected", async () => {
  git("tag", "v1.2.3");
  expect(release("1.2.3").output).toContain("the tag v1.2.3 already exists");
  await writeFile(
    join(clone, "CHANGELOG.md"),
    "# Changelog\n\n## [Unreleased]\n\n## [1.0.0] - 2026-01-01\n\n- Old.\n",
  );
  git("commit", "-qam", "Nothing new");
  expect(release("1.2.4").output).toContain("nothing under Unreleased");
});
