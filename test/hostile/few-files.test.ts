/**
 * Bun 1.4.5 spins when `accept` fails with EMFILE. So a server must never use its last descriptor for a
 * client, however few descriptors it may have and however many clients connect.
 */

import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONNECTIONS_MAX } from "../../src/cli/http-listener.ts";
import { Certificates } from "../support/certificates.ts";
import { APP_HOST, connectRaw, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { cpuSeconds, openFiles, residentBytes } from "../support/process-figures.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { ManyClients } from "./many-clients.ts";

const FILES = 128;
const LIMITED = ["sh", "-c", `ulimit -n ${FILES} && exec "$0" "$@"`, process.execPath];
const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;
const SECRET = { UDPTUNNEL_SECRET: "known-to-both-ends" };
/** 0xFFFF is the length of a frame that is never complete. To keep a thousand of these would take 64 MB. */
const GARBAGE = new Uint8Array(65_536).fill(0xff);
/** The heap of the runtime varies by some MB. */
const MEMORY_BYTES = 40e6;

test.each([
  ["in peer mode", [], {}],
  ["in peer mode with a secret", [], SECRET],
  ["with -p", ["-p"], {}],
  ["with -p and a secret", ["-p"], SECRET],
])(
  "a server %s that may open few files survives 1,000 connections without spinning",
  async (_mode, flags, secret) => {
    const [tcp, udp] = [freeTcpPort(), await freeUdpPort()];
    const ends = ["-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
    await using server = new Program([...flags, ...ends, "-v"], [...LIMITED, ENTRY], secret);
    await server.says("listening on TCP");
    const { pid } = server.child;
    const files = openFiles(pid);
    const memory = residentBytes(pid);
    let most = 0;
    {
      await using clients = new ManyClients(tcp);
      for (let round = 0; round < 10; round++) {
        for (const { socket } of await clients.connect(100)) socket.write(GARBAGE);
        most = Math.max(most, openFiles(pid));
      }
      await until("the clients to be closed", () => clients.closed >= 1000 - FILES);
      const before = cpuSeconds(pid);
      await Bun.sleep(500);
      expect(cpuSeconds(pid) - before).toBeLessThan(0.25); // a spinning process would use all of it
      most = Math.max(most, openFiles(pid));
      expect(residentBytes(pid) - memory).toBeLessThan(MEMORY_BYTES);
    }
    expect(residentBytes(pid) - memory).toBeLessThan(MEMORY_BYTES);
    expect(most).toBeLessThan(FILES - 10);
    await until("the files to be closed", () => openFiles(pid) <= files + 1);
    await using client = new Program(
      [
        ...flags.filter((flag) => flag !== "-p"),
        "-c",
        `${TUNNEL_HOST}/${tcp}`,
        "--bind",
        "127.0.0.4",
        `${APP_HOST}/${udp}`,
        "-v",
      ],
      undefined,
      secret,
    );
    await client.says("connected");
  },
);

test("400 silent connections to --metrics use no descriptor that a tunnel needs", async () => {
  const [metrics, tcp, udp] = [freeTcpPort(), freeTcpPort(), await freeUdpPort()];
  const ends = ["-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
  await using server = new Program(["-v", "--metrics", `${metrics}`, ...ends], [...LIMITED, ENTRY]);
  await server.says("listening on TCP");
  const { pid } = server.child;
  const files = openFiles(pid);
  await using clients = new ManyClients(metrics);
  await clients.connect(400);
  await until("the oldest to be closed", () => clients.closed === 400 - CONNECTIONS_MAX);
  expect(openFiles(pid)).toBeLessThanOrEqual(files + CONNECTIONS_MAX + 1);
  const args = ["-c", `${TUNNEL_HOST}/${tcp}`, "--bind", "127.0.0.4", `${APP_HOST}/${udp}`, "-v"];
  await using client = new Program(args);
  await client.says("connected");
  await server.says("connected");
  expect((await fetch(`http://${TUNNEL_HOST}:${metrics}/healthz`)).status).toBe(200);
});

test("several tunnels of one process, with sessions and one with TLS, leave descriptors free together", async () => {
  using certificates = new Certificates();
  const { cert, key } = certificates.selfSigned({ name: TUNNEL_HOST });
  const udp = await freeUdpPort();
  const ports = Array.from({ length: 4 }, freeTcpPort);
  const tables = ports.map((port, index) =>
    [
      `[tunnel.t${index}]`,
      `server = "${TUNNEL_HOST}/${port}"`,
      `target = "${APP_HOST}/${udp}"`,
      "per-source = true",
      index === 0 ? `tls = true\ncert = "${cert}"\nkey = "${key}"` : "",
    ].join("\n"),
  );
  const file = join(tmpdir(), `udptunnel-${process.pid}-few-files.toml`);
  writeFileSync(file, tables.join("\n"));
  await using server = new Program(["-v", "--config", file], [...LIMITED, ENTRY]);
  for (const index of ports.keys()) await server.says(`t${index}: listening on TCP`);
  rmSync(file);
  const { pid } = server.child;
  const files = openFiles(pid);
  let most = 0;
  {
    const groups = ports.map((port) => new ManyClients(port));
    for (let round = 0; round < 4; round++)
      for (const group of groups) {
        await group.connect(20);
        most = Math.max(most, openFiles(pid));
      }
    await server.says(": fd limit");
    await Promise.all(groups.map((group) => group.close()));
  }
  expect(most).toBeLessThanOrEqual(FILES - 12);
  await until("the sessions to end", () => openFiles(pid) <= files + 1);
  for (const port of ports.slice(1)) {
    using app = await UdpApp.open(udp);
    using peer = await connectRaw(port);
    peer.socket.write(Uint8Array.of(0, 2, 0x68, 0x69));
    await app.receives("hi");
  }
});

test("a service that fills the table itself: connections are closed without spinning, and accepted again later", async () => {
  const script = new URL("full-table-program.ts", import.meta.url).pathname;
  await using service = new Program([], [...LIMITED, script]);
  await until("the table to be full", () => service.output.includes("full"));
  const port = Number(/port (\d+)/.exec(service.output)?.[1]);
  await using clients = new ManyClients(port);
  await clients.connect(50);
  await until("all to be closed", () => clients.closed === 50);
  service.child.kill("SIGUSR2");
  await until("the files to be closed", () => service.output.includes("free"));
  // The next check of the table is within a second and finds free descriptors.
  while (!service.output.includes("opened")) {
    await clients.connect(1);
    await Bun.sleep(50);
  }
}, 20_000);
