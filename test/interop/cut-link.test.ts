/**
 * A tunnel whose network fails silently, and works again later:
 *
 *   here ==== router ==== there
 */

import { expect } from "bun:test";
import { type RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";
import { udpSockets } from "../support/udp-sockets.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

const test = testNeeding("root", "ip");
const HERE = "10.78.1.2";
const THERE = "10.78.2.2";
/** A busy machine reports late. Without --dead-after the kernel would take 15 minutes (tcp(7)). */
const MARGIN_MS = PATIENCE_MS;

/** Connects a host to the router. */
function plugIn(host: string, subnet: string): void {
  const plug = (at: string, name: string, last: number) => ({
    host: at,
    name,
    addresses: [`10.78.${subnet}.${last}/24`],
  });
  net.join(plug("router", host, 1), plug(host, "wan", 2));
  net.ip(host, "route", "add", "default", "via", `10.78.${subnet}.1`);
}

const net = namespacesForTests(() => {
  plugIn("here", "1");
  plugIn("there", "2");
  net.run("router", ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
});

/** The ways to cut the link, and to repair it. */
const CUTS = {
  "a router that drops everything": {
    cut: () => {
      for (const address of [HERE, THERE]) net.ip("router", "route", "add", "blackhole", `${address}/32`);
    },
    mend: () => {
      for (const address of [HERE, THERE]) net.ip("router", "route", "delete", "blackhole", `${address}/32`);
    },
  },
  "a cable pulled out": {
    cut: () => net.ip("router", "link", "set", "there", "down"),
    mend: () => net.ip("router", "link", "set", "there", "up"),
  },
  "an interface removed": {
    cut: () => net.ip("there", "link", "delete", "wan"),
    mend: () => plugIn("there", "2"),
  },
};

interface Pair {
  readonly server: RunningProgram;
  readonly client: RunningProgram;
  readonly udp: number;
}

async function pair(tcp: number, udp: number, deadAfterS: number): Promise<Pair> {
  const common = ["-vv", "--dead-after", `${deadAfterS}`, "--any-source", `127.0.0.2/${udp}`];
  const at = `${THERE}/${tcp}`;
  const server = net.start("there", [...UDPTUNNEL, "-s", at, "--allow", HERE, ...common]);
  await server.said(/listening/);
  const client = net.start("here", [...UDPTUNNEL, "-c", at, ...common]);
  await Promise.all([server.said(/: connected/), client.said(/: connected/)]);
  return { server, client, udp };
}

/** Makes a host send to its tunnel's UDP port, 50 times a second, until stopped. */
function chatter(host: string, { udp }: Pair): RunningProgram {
  return net.start(host, ["bash", "-c", `while sleep 0.02; do echo hello > /dev/udp/127.0.0.1/${udp}; done`]);
}

/** The inode of the tunnel's UDP socket. It stays the same as long as the socket is open. */
function boundSocket(program: RunningProgram, { udp }: Pair): number | undefined {
  return udpSockets(program.pid).find(({ port }) => port === udp)?.inode;
}

/** Waits until the program logs the loss of its connection. Returns the time and the line. */
async function loss(program: RunningProgram) {
  const began = performance.now();
  const line = await program.said(/: disconnected/);
  return { line, ms: performance.now() - began };
}

/** Settles when the program has relayed another datagram from TCP. */
async function hearsAgain(program: RunningProgram): Promise<void> {
  const inbound = () => program.lines.filter((line) => line.includes("inbound")).length;
  const before = inbound();
  await until("a datagram out of the tunnel", () => inbound() > before);
}

const CASES = [
  ["a router that drops everything", 2],
  ["a router that drops everything", 5],
  ["a cable pulled out", 3],
  ["an interface removed", 3],
] as const;

for (const [what, deadAfterS] of CASES) {
  test(`${what} is detected within --dead-after ${deadAfterS}, busy or idle, and survived`, async () => {
    const { cut, mend } = CUTS[what];
    const talking = await pair(5000, 6000, deadAfterS);
    const idle = await pair(5002, 6002, deadAfterS);
    const ends = [talking, idle].flatMap((each) => [each.server, each.client].map((end) => ({ end, each })));
    const bound = ends.map(({ end, each }) => boundSocket(end, each));
    chatter("here", talking);
    chatter("there", talking);
    await Promise.all([hearsAgain(talking.server), hearsAgain(talking.client)]);
    using mending = new DisposableStack();
    mending.defer(mend);
    cut();
    const losses = await Promise.all(ends.map(({ end }) => loss(end)));
    for (const { line, ms } of losses) {
      expect(line).toContain("connection lost");
      expect(ms).toBeGreaterThan(deadAfterS * 400);
      expect(ms).toBeLessThan(deadAfterS * 1000 + MARGIN_MS);
    }
    expect(bound.every((inode) => inode !== undefined)).toBe(true);
    expect(ends.map(({ end, each }) => boundSocket(end, each))).toEqual(bound);
    mending.dispose();
    chatter("here", idle);
    chatter("there", idle);
    await Promise.all(ends.map(({ end }) => hearsAgain(end)));
  });
}
