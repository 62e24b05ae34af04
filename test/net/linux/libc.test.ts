import { describe, expect, test } from "bun:test";
import { errnoName, memory } from "../../../src/net/linux/libc.ts";
import { libc, noLibc } from "./open-libc.ts";

test("errno names are those of the manual pages", () => {
  expect([11, 95, 111, 5, 22, 90].map(errnoName)).toEqual([
    "EAGAIN",
    "EOPNOTSUPP",
    "ECONNREFUSED",
    "EIO",
    "EINVAL",
    "EMSGSIZE",
  ]);
  expect(errnoName(4000)).toBe("E4000");
});

describe.skipIf(noLibc)("libc", () => {
  test("a failed call leaves its errno", () => {
    expect(libc.close(-1)).toBe(-1);
    expect(libc.errno()).toBe("EBADF");
    expect(libc.socket(999, 1, 0)).toBe(-1);
    expect(libc.errno()).toBe("EAFNOSUPPORT");
  });

  test("the address of memory does not change while it is referenced", () => {
    const small = memory(16);
    const before = libc.addressOf(small.buffer);
    for (let index = 0; index < 10_000; index++) small.subarray(index % 16)[0] = index;
    Bun.gc(true);
    expect(libc.addressOf(small.buffer)).toBe(before);
  });

  test("on other systems than Linux openLibc returns undefined and does not throw", async () => {
    const script = `
      Object.defineProperty(process, "platform", { value: "darwin" });
      const { openLibc } = await import("./src/net/linux/libc.ts");
      process.exit(openLibc() === undefined ? 0 : 1);`;
    const root = new URL("../../..", import.meta.url).pathname;
    expect(await Bun.spawn([process.execPath, "-e", script], { cwd: root }).exited).toBe(0);
  });
});
