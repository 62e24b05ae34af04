/** For `bun test --preload`: the tests run without the features of Linux, only with Bun's own calls. */

import { mock } from "bun:test";

const real = await import("../../src/net/linux/linux-sockets.ts");
mock.module("../../src/net/linux/linux-sockets.ts", () => ({
  ...real,
  LinuxSockets: { open: () => undefined },
}));
