/**
 * Socket options that show on packets: traffic class, mark, the local address of a dial. On the network
 * `plain` all packets are routed; on `marked` only those with the mark are, the first one included.
 */

import { describe, expect } from "bun:test";
import { RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip", "tcpdump");
const MARK = "7";
const MARKED = { client: "10.79.0.1", server: "10.79.0.2" };
const PLAIN = {
  IPv4: { client: "10.79.1.1", other: "10.79.1.9", server: "10.79.1.2", loopback: "127.0.0.1" },
  IPv6: { client: "fd79::1", other: "fd79::9", server: "fd79::2", loopback: "::1" },
};

const net = namespacesForTests(() => {
  const plug = (host: string, name: string, ...addresses: string[]) => ({ host, name, addresses });
  const { IPv4, IPv6 } = PLAIN;
  net.join(
    plug("client", "plain", `${IPv4.client}/24`, `${IPv4.other}/24`, `${IPv6.client}/64`, `${IPv6.other}/64`),
    plug("server", "plain", `${IPv4.server}/24`, `${IPv6.server}/64`),
  );
  net.join(plug("client", "marked", `${MARKED.client}/32`), plug("server", "marked", `${MARKED.server}/32`));
  for (const [host, other] of [
    ["client", MARKED.server],
    ["server", MARKED.client],
  ] as const) {
    net.ip(host, "rule", "add", "fwmark", MARK, "table", "77");
    net.ip(host, "route", "add", `${other}/32`, "dev", "marked", "table", "77");
    net.run(host, ["sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done"]);
  }
});

function start(host: string, ...args: string[]): RunningProgram {
  return net.start(host, [...UDPTUNNEL, "-vv", ...args]);
}

/** tcpdump on an interface of the client's host: one line for each packet. Settles when it captures. */
async function packetsOn(name: string): Promise<RunningProgram> {
  const program = net.start("client", ["sh", "-c", `exec tcpdump -i ${name} -n -v -l --immediate-mode >&2`]);
  await program.said(/listening on/);
  return program;
}

function say(host: string, to: string, port: number): void {
  net.run(host, ["bash", "-c", `echo hello > /dev/udp/${to}/${port}`]);
}

describe("--mark is on every packet, the first one included", () => {
  const at = `${MARKED.server}/5000`;
  const [toClient, toServer] = [`${MARKED.client}/6000`, `${MARKED.server}/6001`];

  test("of both ends of a tunnel", async () => {
    const packets = await packetsOn("marked");
    const server = start("server", "-s", at, "--allow", MARKED.client, "--mark", MARK, toClient);
    await server.said(/listening/);
    const client = start("client", "-c", at, "--any-source", "--mark", MARK, toServer);
    await client.said(/: connected/);
    say("client", "127.0.0.1", 6001);
    await server.said(/inbound: 6 bytes/);
    await packets.said(new RegExp(`${MARKED.server}\\.6000 > ${MARKED.client}\\.6000: UDP`));
  });

  test("of sessions", async () => {
    const packets = await packetsOn("marked");
    const server = start("server", "-p", "-s", at, "--allow", MARKED.client, "--mark", MARK, toClient);
    await server.said(/listening/);
    const client = start("client", "-p", "-c", at, "--mark", MARK, "127.0.0.1/6001");
    await client.said(/relaying/);
    say("client", "127.0.0.1", 6001);
    await packets.said(new RegExp(`${MARKED.server}\\.\\d+ > ${MARKED.client}\\.6000: UDP`));
  });

  test("and without it no packet is routed", async () => {
    const client = start("client", "-c", at, toServer);
    await client.said(/ENETUNREACH/);
  });
});

describe.each(Object.entries(PLAIN))("%s", (family, { client: here, other, server: there, loopback }) => {
  test("--tos is on every packet, the SYN included", async () => {
    const packets = await packetsOn("plain");
    const server = start("server", "-s", `${there}/5000`, "--allow", here, "--tos", "EF", `${here}/6000`);
    await server.said(/listening/);
    const dial = ["--tcp-bind", here, "-c", `${there}/5000`];
    const client = start("client", ...dial, "--any-source", "--tos", "0xb8", `${there}/6001`);
    await client.said(/: connected/);
    say("client", loopback, 6001);
    const escaped = there.replaceAll(".", "\\.");
    await packets.said(new RegExp(`${escaped}\\.6000 > .*\\.6000: .*UDP`));
    const lines = packets.lines.join("\n").replaceAll(/\n\s+/g, " ").split("\n");
    const [tcp, udp] = [/TCP \(6\)/, /UDP \(17\)/].map((protocol) =>
      lines.filter((line) => protocol.test(line) && !line.includes("ICMP")),
    );
    const flagged = (flags: string) => tcp?.filter((line) => line.includes(`Flags [${flags}]`)).length;
    expect([flagged("S"), flagged("S."), udp?.length]).toEqual([1, 1, 1]);
    const classed = family === "IPv4" ? "(tos 0xb8," : "(class 0xb8,";
    expect([...(tcp ?? []), ...(udp ?? [])].filter((line) => !line.includes(classed))).toEqual([]);
  });

  test("--tcp-bind sets the local address of a dial", async () => {
    const server = start("server", "-s", `${there}/5000`, "--allow", here, "--allow", other, `${here}/6000`);
    await server.said(/listening/);
    for (const from of [here, other]) {
      const client = start("client", "--tcp-bind", from, "-c", `${there}/5000`, `${there}/6001`);
      const dialled = `${family === "IPv4" ? from : `[${from}]`}:`.replaceAll(/[.[\]]/g, "\\$&");
      await server.said(new RegExp(`: connected: .* to ${dialled}`));
      await client.stop();
    }
  });
});

testNeeding("root", "setpriv")(
  "--mark without the privilege ends with one clear line and status 1",
  async () => {
    // Root without the capabilities for a mark (CAP_NET_RAW counts since Linux 5.17). Another user may lack
    // access to this folder.
    const unprivileged = ["setpriv", "--inh-caps=-net_admin,-net_raw", "--bounding-set=-net_admin,-net_raw"];
    const lines = [
      "-s 127.0.0.1/5000 127.0.0.2/6000",
      "-c 127.0.0.1/5000 127.0.0.2/6000",
      "-p -s 127.0.0.1/5000 127.0.0.2/6000",
      "-p -c 127.0.0.1/5000 127.0.0.1/6000",
      "-s 127.0.0.1/5000 239.7.7.7/6000",
    ];
    for (const line of lines) {
      await using program = new RunningProgram([
        ...unprivileged,
        ...UDPTUNNEL,
        "--mark",
        MARK,
        ...line.split(" "),
      ]);
      const status = await program.exited;
      expect({ line, status, said: program.lines }).toEqual({
        line,
        status: 1,
        said: ["udptunnel: cannot set the mark 7 on a socket: EPERM (it needs CAP_NET_ADMIN)"],
      });
    }
  },
);
