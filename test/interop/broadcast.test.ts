/**
 * Broadcast targets, on a local network of two hosts:
 *
 *   end (both ends of the tunnel, and a program at 127.0.0.2) --lan-- host
 */

import { expect } from "bun:test";
import { type RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip");
const LAN_HOST = [process.execPath, new URL("lan-host.ts", import.meta.url).pathname];
const [END, HOST, OUTSIDER] = ["10.78.0.1", "10.78.0.2", "10.79.0.2"];
const [PORT, APP_PORT] = ["4009", "5009"];
const TCP = "127.0.0.1/5000";

const net = namespacesForTests(() => {
  net.join(
    { host: "end", name: "lan", addresses: [`${END}/24`] },
    { host: "host", name: "lan", addresses: [`${HOST}/24`, `${OUTSIDER}/24`] },
  );
  net.ip("end", "route", "add", "default", "dev", "lan");
});

/** Both ends, connected. The tunnel relays datagrams of the program at 127.0.0.2 to `target`. */
async function tunnel(target: string, options: { server?: string[]; both?: string[] } = {}) {
  const { server: onServer = [], both = [] } = options;
  const start = (...args: string[]) => net.start("end", [...UDPTUNNEL, "-vv", ...both, ...args]);
  const server = start(...onServer, "-s", TCP, target);
  await server.said(/listening/);
  const sessions = both.includes("-p");
  const at = sessions ? `127.0.0.1/${APP_PORT}` : `127.0.0.2/${APP_PORT}`;
  const bind = sessions ? [] : ["--bind", "127.0.0.1"];
  const client = start("-c", TCP, ...bind, at);
  await client.said(sessions ? /relaying/ : /: connected/);
  return { server, client };
}

/** The program at 127.0.0.2 sends to the tunnel, and prints the answers. */
async function send(text: string): Promise<RunningProgram> {
  const app = net.start("end", [...LAN_HOST, APP_PORT, "127.0.0.1", APP_PORT, text, "127.0.0.2"]);
  await app.said(/^ready/);
  return app;
}

async function listener(port = PORT): Promise<RunningProgram> {
  const host = net.start("host", [...LAN_HOST, port]);
  await host.said(/^ready/);
  return host;
}

function warnings(...programs: RunningProgram[]): string[] {
  return programs.flatMap(({ lines }) => lines.filter((line) => /dropping|cannot/.test(line)));
}

for (const [target, ...both] of [
  ["10.78.0.255"],
  ["255.255.255.255"],
  ["10.78.0.255", "-S"],
  ["10.78.0.255", "-p"],
  ["255.255.255.255", "-p"],
]) {
  test(`a datagram reaches the hosts of the network once: ${[target, ...both].join(" ")}`, async () => {
    const { server, client } = await tunnel(`${target}/${PORT}`, {
      server: both.filter((option) => option === "-S"),
      both: both.filter((option) => option === "-p"),
    });
    const host = await listener();
    const app = await send("question 1");
    expect(await host.said(/question/)).toBe(`question 1 from ${END}`);
    if (!both.includes("-S")) expect(await app.said(/^answer/)).toStartWith("answer to question 1");
    net.start("end", [...LAN_HOST, "0", "127.0.0.1", APP_PORT, "last", "127.0.0.2"]);
    await host.said(/^last/);
    expect(host.lines.filter((line) => line.startsWith("question"))).toHaveLength(1);
    expect(warnings(server, client)).toEqual([]);
  });
}

test("broadcasts of the tunnel are not relayed when the kernel delivers them back", async () => {
  const { server, client } = await tunnel(`10.78.0.255/${PORT}`);
  const host = await listener();
  await send("wake up");
  await host.said(/wake up/);
  // The kernel delivers the broadcast to this host before it reaches the other one.
  await server.said(new RegExp(`outbound: 7 bytes from ${END}:${PORT}`));
  net.start("host", [...LAN_HOST, "0", END, PORT, "later"]);
  await client.said(/inbound: 5 bytes/);
  expect(client.lines.filter((line) => line.includes("inbound"))).toHaveLength(1);
  expect(warnings(server, client)).toEqual([]);
});

test("datagrams are accepted from hosts of the network, not from other networks", async () => {
  const { server, client } = await tunnel(`10.78.0.255/${PORT}`);
  net.ip("end", "address", "add", "10.79.0.1/24", "dev", "lan");
  const say = async (to: string, text: string, from: string) => {
    const program = net.start("host", [...LAN_HOST, "0", to, PORT, text, from]);
    await program.said(/ready/);
  };
  await say(END, "outsider", OUTSIDER);
  await server.said(/dropping datagrams from 10.79.0.2/);
  await say("10.78.0.255", "to all", HOST);
  await client.said(/inbound: 6 bytes/);
  await say(END, "to you", HOST);
  await server.said(/outbound: 6 bytes from 10.78.0.2:\d+/);
  expect(warnings(server)).toHaveLength(1);
  expect(client.lines.filter((line) => line.includes("inbound: 8"))).toEqual([]);
});
