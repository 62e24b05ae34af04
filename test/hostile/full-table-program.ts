/** A service with a tunnel in it that opens files until there are no descriptors left, and closes them when told to. */

import { closeSync, openSync } from "node:fs";
import { startServer } from "../../src/index.ts";
import { APP_HOST, TUNNEL_HOST } from "../support/loopback.ts";

const server = await startServer({
  listen: `${TUNNEL_HOST}/0`,
  target: `${APP_HOST}/9`,
  bind: TUNNEL_HOST,
  perSource: true,
});
server.on("session opened", () => say("opened"));
say(`port ${server.tcp[0]?.port}`);
const files: number[] = [];
try {
  for (;;) files.push(openSync("/dev/null", "r"));
} catch {
  say("full");
}
process.on("SIGUSR2", () => {
  for (const fd of files.splice(0)) closeSync(fd);
  say("free");
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
