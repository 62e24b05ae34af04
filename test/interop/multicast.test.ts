/**
 * Multicast tunnels between network namespaces, with group members in namespaces of their own:
 *
 *   member-a --lan-a-- end-a ====wan, TCP==== end-b --lan-b-- member-b
 */

import { describe, expect } from "bun:test";
import { type RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip", "python3");
const MEMBER = ["python3", new URL("../support/member.py", import.meta.url).pathname];
const PORT = "5004";
const TCP = "10.77.0.1/5000";

const FAMILIES = {
  IPv4: {
    group: "239.7.7.7",
    a: "10.77.1.1",
    b: "10.77.2.1",
    memberA: "10.77.1.2",
    otherA: "10.77.1.3",
    memberB: "10.77.2.2",
  },
  IPv6: {
    group: "ff15::77",
    a: "fd77:1::1",
    b: "fd77:2::1",
    memberA: "fd77:1::2",
    otherA: "fd77:1::3",
    memberB: "fd77:2::2",
  },
};
type Addresses = (typeof FAMILIES)["IPv4"];

let joinB: () => void;

const net = namespacesForTests(() => {
  const wan = (host: string, address: string) => ({ host, name: "wan", addresses: [`${address}/24`] });
  net.join(wan("end-a", "10.77.0.1"), wan("end-b", "10.77.0.2"));
  const lan = (side: string, host: string, ...addresses: string[]) => ({
    host,
    name: `lan-${side}`,
    addresses: addresses.map((address) => `${address}/${address.includes(":") ? 64 : 24}`),
  });
  net.join(
    lan("a", "end-a", "10.77.1.1", "fd77:1::1"),
    lan("a", "member-a", "10.77.1.2", "10.77.1.3", "fd77:1::2", "fd77:1::3"),
  );
  joinB = () =>
    net.join(lan("b", "end-b", "10.77.2.1", "fd77:2::1"), lan("b", "member-b", "10.77.2.2", "fd77:2::2"));
  joinB();
  // By these routes the system would choose the wrong interface for groups.
  for (const end of ["end-a", "end-b"]) net.ip(end, "route", "add", "239.0.0.0/8", "dev", "wan");
});

/** Starts both ends with these arguments and their TCP address; settles when they are connected. */
async function tunnel(onA: string[], onB: string[]): Promise<{ a: RunningProgram; b: RunningProgram }> {
  const a = net.start("end-a", [...UDPTUNNEL, "-vv", "-s", TCP, "--allow", "10.77.0.0/16", ...onA]);
  await a.said(/listening/);
  const b = net.start("end-b", [...UDPTUNNEL, "-vv", "-c", TCP, ...onB]);
  await Promise.all([a.said(/: connected/), b.said(/: connected/)]);
  return { a, b };
}

/** A tunnel for the group on the members' networks. */
function groupTunnel({ group }: Addresses, options: { a?: string[]; b?: string[]; ttl?: string } = {}) {
  const target = [group, PORT, ...(options.ttl === undefined ? [] : [options.ttl])].join("/");
  const on = (side: "a" | "b") => ["--interface", `lan-${side}`, ...(options[side] ?? []), target];
  return tunnel(on("a"), on("b"));
}

/** A member that receives; settles when it has joined. */
async function listener({ group }: Addresses, host: string, on: string): Promise<RunningProgram> {
  const member = net.start(host, [...MEMBER, "receive", group, PORT, on]);
  await member.said(/ready/);
  return member;
}

function send(host: string, on: string, from: string, to: string, payload: string): void {
  net.run(host, [...MEMBER, "send", to, PORT, on, from, "4", payload]);
}

/** What a member has received so far. A last datagram, sent without the tunnel, marks the end. */
async function received(member: RunningProgram, at: Addresses): Promise<string[]> {
  send("end-b", "lan-b", at.b, at.group, "last");
  await member.said(/^last/);
  return member.lines.filter((line) => !/^(ready|last)/.test(line));
}

describe.each(Object.entries(FAMILIES))("%s", (_family, at) => {
  test("members at both ends receive from each other, with the given TTL", async () => {
    await groupTunnel(at, { ttl: "5" });
    const memberA = await listener(at, "member-a", "lan-a");
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.group, "from-a");
    expect(await memberB.said(/^from-a/)).toBe(`from-a from ${at.b} ttl 5`);
    send("member-b", "lan-b", at.memberB, at.group, "from-b");
    expect(await memberA.said(/^from-b from .* ttl 5/)).toBe(`from-b from ${at.a} ttl 5`);
  });

  test("the TTL is 1 by default", async () => {
    await groupTunnel(at);
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.group, "hello");
    expect(await memberB.said(/^hello/)).toEndWith(" ttl 1");
  });

  test("with a TTL of 0, only members on the host receive, with --loop", async () => {
    await groupTunnel(at, { ttl: "0", b: ["--loop"] });
    const local = await listener(at, "end-b", "lan-b");
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.group, "hello");
    expect(await local.said(/^hello/)).toEndWith(" ttl 0");
    expect(await received(memberB, at)).toEqual([]);
  });

  test("without --loop a member on the tunnel's host receives nothing", async () => {
    await groupTunnel(at);
    const local = await listener(at, "end-b", "lan-b");
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.group, "hello");
    await memberB.said(/^hello/);
    expect(await received(local, at)).toEqual([]);
  });

  test("with --loop a member on the tunnel's host is relayed, and own datagrams are dropped", async () => {
    const { b } = await groupTunnel(at, { a: ["--loop"], b: ["--loop"] });
    const memberA = await listener(at, "member-a", "lan-a");
    const memberB = await listener(at, "member-b", "lan-b");
    send("end-b", "lan-b", at.b, at.group, "local");
    await memberA.said(/^local/);
    send("member-b", "lan-b", at.memberB, at.group, "remote");
    await memberA.said(/^remote/);
    expect((await received(memberB, at)).map((line) => line.split(" from")[0])).toEqual(["local", "remote"]);
    // If end-a relayed its own datagrams, they would arrive here.
    expect(b.lines.filter((line) => line.includes("inbound"))).toEqual([]);
  });

  test("--source accepts one sender of the group only", async () => {
    await groupTunnel(at, { a: ["--source", at.memberA] });
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.otherA, at.group, "other");
    send("member-a", "lan-a", at.memberA, at.group, "wanted");
    await memberB.said(/^wanted/);
    expect((await received(memberB, at)).map((line) => line.split(" from")[0])).toEqual(["wanted"]);
  });

  test("unicast to the group's port is not relayed", async () => {
    await groupTunnel(at);
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.a, "stray");
    send("member-a", "lan-a", at.memberA, at.group, "wanted");
    await memberB.said(/^wanted/);
    expect((await received(memberB, at)).map((line) => line.split(" from")[0])).toEqual(["wanted"]);
  });

  test("--interface accepts an address, too", async () => {
    const target = `${at.group}/${PORT}`;
    await tunnel(["--interface", at.a, target], ["--interface", at.b, target]);
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.group, "hello");
    expect(await memberB.said(/^hello/)).toBe(`hello from ${at.b} ttl 1`);
  });

  test("an interface that does not exist is an error", async () => {
    const program = net.start("end-a", [
      ...UDPTUNNEL,
      "-s",
      TCP,
      "--interface",
      "eth77",
      `${at.group}/${PORT}`,
    ]);
    expect(await program.exited).toBe(1);
    expect(program.lines).toEqual([
      "udptunnel: there is no network interface eth77; " +
        "give one of this host's interfaces with --interface (ip link lists them)",
    ]);
  });
});

describe("an interface that is removed and created again", () => {
  const at = { ...FAMILIES.IPv6, group: "ff02::77" };

  /** Removes the interface to the members at b and creates it again, as the restart of a VLAN does. */
  async function recreate(b: RunningProgram): Promise<void> {
    net.ip("end-b", "link", "delete", "lan-b");
    await b.said(/the network interface lan-b was removed/);
    joinB();
    await b.said(/the network interface lan-b was created or changed/);
  }

  async function bothWays(at: Addresses): Promise<void> {
    const memberA = await listener(at, "member-a", "lan-a");
    const memberB = await listener(at, "member-b", "lan-b");
    send("member-a", "lan-a", at.memberA, at.group, "from-a");
    await memberB.said(/^from-a/);
    send("member-b", "lan-b", at.memberB, at.group, "from-b");
    await memberA.said(/^from-b/);
  }

  for (const [family, at] of Object.entries(FAMILIES)) {
    test(`is joined and sent from again (${family})`, async () => {
      const { b } = await groupTunnel(at);
      await recreate(b);
      await bothWays(at);
    });
  }

  test("is joined and sent from again, with a link-local group", async () => {
    const { b } = await tunnel([`ff02::77%lan-a/${PORT}`], [`ff02::77%lan-b/${PORT}`]);
    await recreate(b);
    await bothWays(at);
  });
});

test("the zone of a link-local group names the interface", async () => {
  const at = { ...FAMILIES.IPv6, group: "ff02::77" };
  await tunnel([`ff02::77%lan-a/${PORT}`], [`ff02::77%lan-b/${PORT}`]);
  const memberB = await listener(at, "member-b", "lan-b");
  send("member-a", "lan-a", at.memberA, at.group, "hello");
  expect(await memberB.said(/^hello/)).toEndWith(" ttl 1");
});
