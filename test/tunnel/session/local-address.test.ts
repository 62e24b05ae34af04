/** A client on all addresses answers from the address that was asked: connected sockets accept no other. */

import { describe, expect, test } from "bun:test";
import { UDPTUNNEL } from "../../../scripts/running-program.ts";
import { startClient, startServer, type Tunnel } from "../../../src/index.ts";
import { Namespaces } from "../../support/namespaces.ts";
import { testNeeding } from "../../support/need.ts";
import { PLATFORMS } from "../../support/system-sockets.ts";
import { until } from "../../support/until.ts";

const reportsLocal = PLATFORMS.some(([name]) => name === "Linux");
const ANSWER_BYTES = 100;

/** A target that answers a number N with N datagrams of equal length; each starts with its index. */
async function openTarget(): Promise<Bun.udp.Socket<"buffer">> {
  return await Bun.udpSocket({
    hostname: "127.0.0.1",
    binaryType: "buffer",
    socket: {
      data(socket, payload, port, address) {
        const count = Number(payload.toString());
        const answers = Array.from({ length: count }, (_, n) => [`${n}`.padEnd(ANSWER_BYTES), port, address]);
        socket.sendMany(answers.flat() as string[]);
      },
      error() {}, // the socket of an ended session refuses
    },
  });
}

/** Sends each count from a connected socket. @returns the answers to each. */
async function ask(host: string, port: number, counts: readonly number[]): Promise<number[][]> {
  const rounds: number[][] = [];
  let round: number[] = [];
  const socket = await Bun.udpSocket({
    hostname: host.includes(":") ? "::1" : "127.0.0.1",
    connect: { hostname: host, port },
    socket: { data: (_socket, payload) => void round.push(Number(payload.toString())), error() {} },
  });
  for (const count of counts) {
    round = [];
    socket.send(`${count}`);
    await until(`${count} answers from ${host}`, () => round.length >= count);
    rounds.push(round);
  }
  socket.close();
  return rounds;
}

/** A server in front of a target, which closes when the server does. */
async function openServer(): Promise<Tunnel> {
  const target = await openTarget();
  const options = { perSource: true, listen: "127.0.0.1/0", target: `127.0.0.1/${target.port}` };
  const server = await startServer(options);
  void server.closed.then(() => target.close());
  return server;
}

const describeWhereReported = reportsLocal ? describe : () => {};

describeWhereReported("connected sockets receive single answers and bursts", () => {
  test.each([
    ["0.0.0.0", "auto", ["127.0.0.1", "127.0.0.2", "127.0.0.3"]],
    ["0.0.0.0", "off", ["127.0.0.1", "127.0.0.2"]],
    ["::", "auto", ["127.0.0.1", "127.0.0.2", "::1"]],
    ["::", "off", ["127.0.0.2", "::1"]],
  ] as const)("at %s, segment offload %s", async (any, offload, hosts) => {
    await using server = await openServer();
    await using client = await startClient({
      perSource: true,
      connect: `127.0.0.1/${server.tcp[0]?.port}`,
      target: `${any === "::" ? "[::]" : any}/0`,
      offload,
    });
    const port = client.udp[0]?.port as number;
    const counts = [1, 1, 150, 1, 60];
    const rounds = await Promise.all(hosts.map((host) => ask(host, port, counts)));
    for (const round of rounds)
      expect(round).toEqual(counts.map((count) => Array.from({ length: count }, (_, n) => n)));
    const { inbound, outbound } = client.counters;
    expect(outbound.received).toBe(hosts.length * counts.length);
    expect([inbound.sent, inbound.droppedTotal]).toEqual([hosts.length * 213, 0]);
  });

  test("one socket receives each answer from the address that it asked", async () => {
    await using server = await openServer();
    await using client = await startClient({
      perSource: true,
      connect: `127.0.0.1/${server.tcp[0]?.port}`,
      target: "0.0.0.0/0",
    });
    const answeredFrom: string[] = [];
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_socket, _payload, _port, address) => void answeredFrom.push(address), error() {} },
    });
    const hosts = ["127.0.0.9", "127.0.0.8", "127.0.0.9"];
    for (const [index, host] of hosts.entries()) {
      socket.send("1", client.udp[0]?.port as number, host);
      await until("the answer", () => answeredFrom.length > index);
    }
    expect(answeredFrom).toEqual(hosts);
    expect(client.stats().sessions).toBe(1);
    socket.close();
  });
});

/** Asks each given address from a connected IPv6 socket. Exits with 0 when all have answered. */
const ASK = `
import socket, sys
for host in sys.argv[2:]:
    one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    one.settimeout(20)
    one.connect((host, int(sys.argv[1])))
    one.send(b"hello " + host.encode())
    assert one.recv(100) == b"hello " + host.encode()
`;
const ECHO = `
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 7000))
print("bound", file=sys.stderr, flush=True)
while True:
    data, source = one.recvfrom(100)
    one.sendto(data, source)
`;

if (reportsLocal) {
  testNeeding("root", "python3")(
    "a host with two global IPv6 addresses answers from the address that was asked",
    async () => {
      await using hosts = new Namespaces();
      const [first, second] = ["2001:db8::1", "2001:db8::2"];
      const one = { host: "tunnel", name: "t0", addresses: [`${first}/64`, `${second}/64`] };
      hosts.join(one, { host: "asker", name: "a0", addresses: ["2001:db8::9/64"] });
      await hosts.start("tunnel", ["python3", "-c", ECHO]).said(/bound/);
      const server = hosts.start("tunnel", [...UDPTUNNEL, "-p", "-s", "127.0.0.1/7001", "127.0.0.1/7000"]);
      const client = hosts.start("tunnel", [...UDPTUNNEL, "-v", "-p", "-c", "127.0.0.1/7001", "[::]/7002"]);
      await client.said(/relaying UDP/);
      await client.said(/segment offload/);
      hosts.run("asker", ["python3", "-c", ASK, "7002", first, second]);
      expect(server.lines.join()).not.toContain("dropped");
    },
  );
}
