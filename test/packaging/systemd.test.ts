import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testNeeding } from "../support/need.ts";

const NAME = "udptunnel@.service";
const UNIT = await Bun.file(new URL(`../../packaging/systemd/${NAME}`, import.meta.url)).text();

/** Of 100, which is no protection at all. The unit has 11 by systemd 252, and other versions weigh a little differently. */
const EXPOSURE_MAX = 20;

/** Runs it on the unit in a folder of its own, with a program that is there. Nothing is started: it only reads the file. */
async function analyze(...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), "unit-"));
  try {
    const unit = join(folder, NAME);
    await Bun.write(unit, UNIT.replace("/usr/local/bin/udptunnel", process.execPath));
    const { stdout, stderr, exitCode } = Bun.spawnSync(["systemd-analyze", "--no-pager", ...args, unit]);
    return { said: stdout.toString() + stderr.toString(), exitCode };
  } finally {
    await rm(folder, { recursive: true });
  }
}

testNeeding("systemd-analyze")("systemd has nothing to say against the unit", async () => {
  // Not its manual pages: those of the program are not installed here.
  expect(await analyze("verify", "--man=no")).toEqual({ said: "", exitCode: 0 });
});

testNeeding("systemd-analyze")("the unit stays as closed as it is", async () => {
  const { said, exitCode } = await analyze("security", "--offline=true", `--threshold=${EXPOSURE_MAX}`);
  expect(said).toContain("Overall exposure level");
  expect({ exitCode, said }).toMatchObject({ exitCode: 0 });
});
