/**
 * A host as Debian and Ubuntu install it: /etc/hosts has `127.0.0.1 localhost` and `::1 localhost
 * ip6-localhost`, IPv6 is on, and programs listen on 127.0.0.1 only.
 */

import { afterAll, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip");
const folder = mkdtempSync(join(tmpdir(), "udptunnel-hosts-"));
const hosts = join(folder, "hosts");

const ECHO = `
  await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 5300,
    socket: { data: (socket, payload, port, address) => socket.send(payload, port, address), error() {} },
  });
  console.error("ready");`;

/** Sends each question once, from a new source. */
const ASK = `
  let answered = 0;
  for (let n = 0; n < 12; n++) {
    const hostname = n % 2 === 0 ? "127.0.0.1" : "::1";
    const { promise, resolve } = Promise.withResolvers();
    const socket = await Bun.udpSocket({ hostname, socket: { data: resolve, error() {} } });
    socket.send("question", 5353, hostname);
    await promise;
    answered++;
    socket.close();
  }
  console.error("answered " + answered);`;

const net = namespacesForTests(() => {
  writeFileSync(hosts, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
  net.join({ host: "debian", name: "lan", addresses: [] }, { host: "other", name: "lan", addresses: [] });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts a program that sees this hosts file: ip(8) gives it a mount namespace. */
function start(...command: string[]) {
  return net.start("debian", ["sh", "-c", `mount --bind ${hosts} /etc/hosts && exec "$@"`, "sh", ...command]);
}

test("with localhost as listen address and target, 12 of 12 questions are answered", async () => {
  const echo = start(process.execPath, "-e", ECHO);
  await echo.said(/ready/);
  const server = start(...UDPTUNNEL, "-v", "-p", "-s", "localhost/5000", "localhost/5300");
  const listening = await server.said(/listening/);
  expect(listening).toContain("TCP 127.0.0.1:5000");
  expect(listening).toContain("TCP [::1]:5000");
  const client = start(...UDPTUNNEL, "-v", "-p", "-c", "localhost/5000", "localhost/5353");
  await client.said(/relaying/);
  const ask = start(process.execPath, "-e", ASK);
  await ask.said(/answered 12/);
});
