/** The implementations of sockets to test: the portable one, and on Linux that with {@link SystemSockets}. */

import { LinuxSockets } from "../../src/net/linux/linux-sockets.ts";
import type { SystemSockets } from "../../src/net/system-sockets.ts";

const options = { deadAfterMs: 15_000, socketBufferBytes: 1 << 20, offload: "auto" as const };
const linux = process.platform === "linux" ? LinuxSockets.open(options) : undefined;

/** Each with its name. */
export const PLATFORMS: [name: string, system: SystemSockets | undefined][] = [["portable", undefined]];
if (linux !== undefined) PLATFORMS.push(["Linux", linux]);
