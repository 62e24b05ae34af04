/** Preloaded (`bun test --preload`): the tests then run as on a kernel that knows no segment offload. */

import { mock } from "bun:test";

const real = await import("../../src/net/linux/segment-offload.ts");
mock.module("../../src/net/linux/segment-offload.ts", () => ({
  ...real,
  probeOffload(_libc: unknown, scratch: { offReason: string | undefined }) {
    scratch.offReason = "ENOPROTOOPT";
    return scratch.offReason;
  },
}));
