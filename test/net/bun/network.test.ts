import { expect, test } from "bun:test";

test("with a full table of descriptors, sourceAddressTo throws and does not report a missing route", () => {
  const program = new URL("few-descriptors-program.ts", import.meta.url).pathname;
  const limited = ["sh", "-c", 'ulimit -n 64 && exec "$0" "$@"', process.execPath, program];
  const { stdout, stderr } = Bun.spawnSync(limited);
  expect(stderr.toString()).toBe("");
  expect(stdout.toString()).toBe("127.0.0.1 EMFILE\n");
});
