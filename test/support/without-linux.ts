/** Preloaded (`bun test --preload`): the tests then run as on a system whose extras nobody knows, on Bun's own calls alone. */

import { mock } from "bun:test";

const real = await import("../../src/net/linux/linux-sockets.ts");
mock.module("../../src/net/linux/linux-sockets.ts", () => ({
  ...real,
  LinuxSockets: { open: () => undefined },
}));
