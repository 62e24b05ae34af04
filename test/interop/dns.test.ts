/**
 * DNS over TCP has the tunnel's framing (RFC 1035, 4.2.2), so a client with -p works with any DNS server's
 * TCP port.
 *
 * Unbound serves ten TCP clients at once by default; others wait in the backlog. It closes a connection that
 * is idle for 30 s, or for 0.2 s when others wait, so that about 50 new sources a second get their answers.
 * The idle timeout of a session must not end it while it waits: --idle 30 equals Unbound's own limit.
 */

import { expect } from "bun:test";
import { freePort } from "../../scripts/free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "../../scripts/running-program.ts";
import { testNeeding } from "../support/need.ts";
import { decodeAnswer, encodeQuery } from "./dns-message.ts";
import { Unbound } from "./unbound.ts";

const HOST = "127.0.0.1";
const QUERIES = 1000;
/** Concurrent queries: more than Unbound serves at once. */
const CONCURRENT = 100;
/** A resolver repeats a query without an answer after 5 s (resolv.conf(5)). */
const ASK_AGAIN_MS = 5000;

const RECORDS = new Map(
  Array.from({ length: QUERIES }, (_, n) => [`q${n}.test`, `10.0.${n >> 8}.${n & 255}`] as const),
);

/** Queries from a new port, until the answer is received. */
async function ask(port: number, id: number, name: string) {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const socket = await Bun.udpSocket({
    hostname: HOST,
    connect: { hostname: HOST, port },
    binaryType: "buffer",
    socket: { data: (_socket, payload) => resolve(payload), error() {} },
  });
  const query = encodeQuery(id, name);
  socket.send(query);
  const again = setInterval(() => socket.send(query), ASK_AGAIN_MS);
  const answer = decodeAnswer(await promise);
  clearInterval(again);
  socket.close();
  return answer;
}

/** Queries every name, each from another port, and compares the answers. */
async function askAll(port: number): Promise<void> {
  const names = [...RECORDS].entries();
  const worker = async () => {
    for (const [n, [name, address]] of names)
      expect(await ask(port, n, name)).toEqual({ id: n, code: 0, address });
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

async function dig(port: number, name: string): Promise<string> {
  return (await Bun.$`dig @${HOST} -p ${port} +short ${name} A`.text()).trim();
}

async function startClient(server: number): Promise<{ program: RunningProgram; port: number }> {
  const port = await freePort();
  const args = ["-v", "-p", "--idle", "30", "-c", `${HOST}/${server}`, `${HOST}/${port}`];
  const program = new RunningProgram([...UDPTUNNEL, ...args]);
  await program.said(/relaying UDP/);
  return { program, port };
}

const testDns = testNeeding("unbound", "dig");

testDns("1,000 queries from 1,000 ports cross a client to a DNS server's TCP port", async () => {
  await using unbound = await Unbound.start(RECORDS);
  const client = await startClient(unbound.port);
  await using _client = client.program;
  expect(await dig(client.port, "q7.test")).toBe("10.0.0.7");
  await askAll(client.port);
  expect(await dig(client.port, "q999.test")).toBe("10.0.3.231");
});

testDns("1,000 queries from 1,000 ports cross both ends to a DNS server's UDP port", async () => {
  await using unbound = await Unbound.start(RECORDS);
  const tcp = await freePort();
  const serving = ["-v", "-p", "-s", `${HOST}/${tcp}`, `${HOST}/${unbound.port}`];
  await using server = new RunningProgram([...UDPTUNNEL, ...serving]);
  await server.said(/listening on TCP/);
  const client = await startClient(tcp);
  await using _client = client.program;
  expect(await dig(client.port, "q7.test")).toBe("10.0.0.7");
  await askAll(client.port);
});
