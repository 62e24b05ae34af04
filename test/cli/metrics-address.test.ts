/** The addresses that `--metrics` listens on when the host lacks one. */

import { expect } from "bun:test";
import { freeTcpPort } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";

const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;

/**
 * A script that prints the health once it is good. It stops after 500 tries, even if the test does not stop
 * it.
 */
function ask(port: number): string {
  return `for (let tries = 0; tries < 500; tries++) {
    const answer = await fetch("http://[::1]:${port}/healthz").catch(() => undefined);
    if (answer?.ok) { console.log((await answer.text()).trim()); break; }
    await Bun.sleep(20);
  }`;
}

testNeeding("root")("a host without 127.0.0.1 serves metrics on ::1", async () => {
  const port = freeTcpPort();
  const inside = [
    "ip link set lo up && ip addr del 127.0.0.1/8 dev lo",
    '"$0" "$@" &',
    `"$0" -e '${ask(port)}'`,
    "kill $! && wait $!",
  ].join("\n");
  const command = ["unshare", "--net", "sh", "-c", inside, process.execPath, ENTRY];
  const args = ["--metrics", `${port}`, "-s", "[::1]/5000", "[::1]/4000"];
  await using program = new Program(args, command);
  expect(await program.exited()).toBe(0);
  expect(program.output).toBe("tunnel: listening\n");
});
