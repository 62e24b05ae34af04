/** A service with a tunnel. It opens files until no descriptor is free, and closes them at SIGUSR2. */

import { closeSync, openSync } from "node:fs";
import { startServer } from "../../src/index.ts";
import { APP_HOST, TUNNEL_HOST } from "../support/loopback.ts";

const server = await startServer({
  listen: `${TUNNEL_HOST}/0`,
  target: `${APP_HOST}/9`,
  bind: TUNNEL_HOST,
  perSource: true,
});
server.on("session opened", () => print("opened"));
print(`port ${server.tcp[0]?.port}`);
const files: number[] = [];
try {
  for (;;) files.push(openSync("/dev/null", "r"));
} catch {
  print("full");
}
process.on("SIGUSR2", () => {
  for (const fd of files.splice(0)) closeSync(fd);
  print("free");
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
