/** The ways in which sockets can be had on this system: the portable one, and the system's own. */

import { LinuxSockets } from "../../src/net/linux/linux-sockets.ts";
import type { SystemSockets } from "../../src/net/system-sockets.ts";

const options = { deadAfterMs: 15_000, socketBufferBytes: 1 << 20, offload: "auto" as const };
const linux = process.platform === "linux" ? LinuxSockets.open(options) : undefined;

/** Each with its name. */
export const WAYS: [name: string, system: SystemSockets | undefined][] = [["portable", undefined]];
if (linux !== undefined) WAYS.push(["Linux", linux]);
