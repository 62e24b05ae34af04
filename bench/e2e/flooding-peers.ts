/** TCP peers of a server that send frames of 8 bytes as fast as it takes them, all in one process of their own. */

import { join } from "node:path";
import { BenchProcess } from "./process.ts";
import type { Place } from "./relays.ts";

const PROGRAM = join(import.meta.dir, "../../scripts/flooding-peers.ts");

/** Starts them, and settles when the first frames are out. @throws Error when there is no server. */
export async function floodingPeers({ tcpPort }: Place, count: number): Promise<AsyncDisposable> {
  const peers = new BenchProcess("flooding peers", [process.execPath, PROGRAM, `${tcpPort}`, `${count}`]);
  await peers.message("flooding");
  return { [Symbol.asyncDispose]: () => peers.stop() };
}
