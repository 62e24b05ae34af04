import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testNeeding } from "../support/need.ts";

const NAME = "udptunnel@.service";
const UNIT = await Bun.file(new URL(`../../packaging/systemd/${NAME}`, import.meta.url)).text();

/**
 * On a scale where 100 is unprotected. The unit has 11 with systemd 252; other versions weigh slightly
 * differently.
 */
const EXPOSURE_MAX = 20;

/** Runs systemd-analyze on a copy of the unit that names an existing program. It only reads the file. */
async function analyze(...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), "unit-"));
  try {
    const unit = join(folder, NAME);
    await Bun.write(unit, UNIT.replace("/usr/local/bin/udptunnel", process.execPath));
    const { stdout, stderr, exitCode } = Bun.spawnSync(["systemd-analyze", "--no-pager", ...args, unit]);
    return { output: stdout.toString() + stderr.toString(), exitCode };
  } finally {
    await rm(folder, { recursive: true });
  }
}

testNeeding("systemd-analyze")("systemd accepts the unit without a warning", async () => {
  // Without the check of manual pages, because the program's page is not installed here.
  expect(await analyze("verify", "--man=no")).toEqual({ output: "", exitCode: 0 });
});

testNeeding("systemd-analyze")("the exposure of the unit does not grow", async () => {
  const { output, exitCode } = await analyze("security", "--offline=true", `--threshold=${EXPOSURE_MAX}`);
  expect(output).toContain("Overall exposure level");
  expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
});
