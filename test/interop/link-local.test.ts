/** A tunnel between hosts with link-local addresses only, which need a zone (RFC 4007). */

import { expect } from "bun:test";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip", "tcpdump");
const LAN_HOST = [process.execPath, new URL("lan-host.ts", import.meta.url).pathname];
const [A, B] = ["fe80::a", "fe80::b"];

const net = namespacesForTests(() => {
  wire();
});

function wire(): void {
  net.join(
    { host: "a", name: "wire", addresses: [`${A}/64`] },
    { host: "b", name: "wire", addresses: [`${B}/64`] },
  );
}

/** The program that is the target of the tunnel's end at `to` sends to its UDP port. */
function say(host: string, to: string, port: number): void {
  net.run(host, ["bash", "-c", `echo hello > /dev/udp/${to}%wire/${port}`]);
}

for (const options of [[], ["-S"], ["-6"], ["-p"]]) {
  test(`TCP and UDP work with link-local addresses (${options.join(" ") || "plain"})`, async () => {
    const sniff = `exec tcpdump -i wire -n -l --immediate-mode udp >&2`;
    const packets = net.start("b", ["sh", "-c", sniff]);
    await packets.said(/listening on/);
    const sessions = options.includes("-p");
    const perSource = sessions ? ["-p"] : [];
    const start = (host: string, ...args: string[]) => net.start(host, [...UDPTUNNEL, "-vv", ...args]);
    const server = start("a", ...options, "-s", `${A}%wire/5000`, "--allow", B, `${B}%wire/6000`);
    await server.said(/listening/);
    const listens = sessions ? B : A;
    const client = start("b", ...perSource, "-c", `${A}%wire/5000`, `${listens}%wire/6001`);
    await client.said(sessions ? /relaying/ : /: connected/);
    say("a", B, 6001);
    await server.said(/inbound: 6 bytes/);
    await packets.said(new RegExp(`${A}\\.\\d+ > ${B}\\.6000: UDP, length 6`));
    if (options.length > 0 && options[0] !== "-6") return;
    say("b", A, 6000);
    await packets.said(new RegExp(`${B}\\.6001 > ${A}\\.6001: UDP, length 6`));
    expect([...server.lines, ...client.lines].filter((line) => line.includes("dropping"))).toEqual([]);
  });
}

// Both ends of the tunnel are on one host, so that their connection survives the loss of the interface.
for (const options of [[], ["-S"], ["-p"]]) {
  test(`a link-local target is reached on a recreated interface (${options.join(" ") || "plain"})`, async () => {
    const perSource = options.includes("-p") ? ["-p"] : [];
    const server = net.start("a", [...UDPTUNNEL, "-vv", ...options, "-s", "::1/5000", `${B}%wire/6000`]);
    await server.said(/listening/);
    const client = net.start("a", [...UDPTUNNEL, "-v", ...perSource, "-c", "::1/5000", "::1/6001"]);
    await client.said(perSource.length > 0 ? /relaying/ : /: connected/);
    /** Sends from the same source each time, so that there is one session. */
    const arrives = async (text: string) => {
      const sniff = "exec tcpdump -i wire -n -l --immediate-mode udp >&2";
      const packets = net.start("b", ["sh", "-c", sniff]);
      await packets.said(/listening on/);
      const source = net.start("a", [...LAN_HOST, "7777", "::1", "6001", text, "::1"]);
      const to = `> ${B}\\.6000: UDP, length ${text.length}$`;
      await packets.said(new RegExp(to));
      await source.stop();
    };
    await arrives("first");
    net.ip("a", "link", "delete", "wire");
    await server.said(/the network interface wire was removed/);
    wire();
    await server.said(/the network interface wire was created or changed/);
    await arrives("second");
  });
}

test("a session's link-local source is answered after its interface is recreated", async () => {
  const target = net.start("a", [...LAN_HOST, "7000", "::1", "9", "unheard", "::1"]);
  await target.said(/^ready/);
  const server = net.start("a", [...UDPTUNNEL, "-p", "-v", "-s", "::1/5000", "::1/7000"]);
  await server.said(/listening/);
  const client = net.start("a", [...UDPTUNNEL, "-p", "-v", "-c", "::1/5000", "::/6001"]);
  await client.said(/relaying/);
  const ask = async (what: string) => {
    const source = net.start("b", [
      ...LAN_HOST,
      "7777",
      `${A}%wire`,
      "6001",
      `question ${what}`,
      `${B}%wire`,
    ]);
    await source.said(new RegExp(`answer to question ${what}`));
    await source.stop();
  };
  await ask("first");
  net.ip("a", "link", "delete", "wire");
  wire();
  await ask("second");
  expect(client.lines.filter((line) => line.includes("session for"))).toHaveLength(1);
});

test("a target without a zone is reached on the only interface, and refused when there are two", async () => {
  const [here, there] = [{ host: "c" }, { host: "d" }];
  net.join(
    { ...here, name: "one", addresses: ["fe80::c/64"] },
    { ...there, name: "one", addresses: ["fe80::d/64"] },
  );
  for (const mode of [[], ["-p"]]) {
    const start = () => net.start("c", [...UDPTUNNEL, ...mode, "-v", "-s", "::1/5000", "fe80::d/6000"]);
    const server = start();
    await server.said(/listening/);
    await server.stop();
  }
  net.join(
    { ...here, name: "two", addresses: ["fe80::c/64"] },
    { ...there, name: "two", addresses: ["fe80::d/64"] },
  );
  for (const mode of [[], ["-p"]]) {
    const server = net.start("c", [...UDPTUNNEL, ...mode, "-s", "::1/5000", "fe80::d/6000"]);
    await server.said(/fe80::d is link-local, and this host has several interfaces \(one, two\)/);
    expect(await server.exited).toBe(1);
  }
});
