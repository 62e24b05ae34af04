/** For `bun test --preload`: the tests run as on a kernel without segment offload. */

import { mock } from "bun:test";

const real = await import("../../src/net/linux/segment-offload.ts");
mock.module("../../src/net/linux/segment-offload.ts", () => ({
  ...real,
  probeOffload: () => "ENOPROTOOPT",
}));
