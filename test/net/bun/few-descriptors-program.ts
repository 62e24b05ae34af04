/** Prints the source address to a target, and then that with a full table of file descriptors. */

import { openSync } from "node:fs";
import { openBunNetwork } from "../../../src/net/bun/network.ts";
import { errorCode } from "../../../src/net/network.ts";

const network = await openBunNetwork({ deadAfterMs: 15_000, socketBufferBytes: 65_536, offload: "off" });
const ask = () => {
  try {
    return network.sourceAddressTo({ address: "127.0.0.1", port: 9 });
  } catch (error) {
    return errorCode(error);
  }
};
const before = ask();
try {
  for (;;) openSync("/dev/null", "r");
} catch {
  // full
}
process.stdout.write(`${before} ${ask()}\n`);
