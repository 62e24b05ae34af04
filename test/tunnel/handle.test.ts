/** A tunnel as a service holds it: its events, its snapshot, its end by a signal, and what it leaves alone. */

import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { startClient, startServer, type TunnelEvent } from "../../src/index.ts";
import { freeUdpPort } from "../support/loopback.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import { CLIENT, Scene, SERVER, SERVER_APP } from "../support/memory-tunnels.ts";
import { until } from "../support/until.ts";

const LIBRARY = new URL("../../src/index.ts", import.meta.url).pathname;

const scenes: Scene[] = [];
function scene(): Scene {
  const made = new Scene();
  scenes.push(made);
  return made;
}
afterEach(async () => {
  for (const used of scenes.splice(0)) await used.end();
});

const server = { listen: `${SERVER}/4000`, target: `${SERVER_APP}/5000` };

test("a listener attached to the handle at once hears everything, from listening on", async () => {
  const used = scene();
  const network = new MemoryNetwork(used.wire, SERVER);
  const told: string[] = [];
  const tunnel = await startServer(server, { network, onEvent: ({ type }) => told.push(type) });
  used.started.push(tunnel);
  const heard: string[] = [];
  tunnel.on("listening", ({ type, tcp }, level) => heard.push(`${type} ${tcp[0]?.port} ${level}`));
  tunnel.once("unauthenticated listener", ({ type }) => heard.push(type));
  tunnel.on("connected", ({ type, remote }) => heard.push(`${type} ${remote.address}`));
  tunnel.on("disconnected", ({ type, reason }) => heard.push(`${type}: ${reason}`));
  expect(told).toEqual(["listening", "unauthenticated listener"]);
  const client = await used.client();
  await used.clock.settle();
  await Promise.all([client.tunnel.close(), used.clock.advance(1100)]);
  await used.clock.settle();
  expect(heard).toEqual([
    "listening 4000 info",
    "unauthenticated listener",
    `connected ${CLIENT}`,
    "disconnected: closed by peer",
  ]);
  expect(told).toEqual(["listening", "unauthenticated listener", "connected", "disconnected"]);
});

test("what a listener throws is an uncaught exception, and the tunnel goes on", async () => {
  const child = Bun.spawn([process.execPath, "-e", FAULTY_LISTENERS, LIBRARY], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = [await child.stdout.text(), await child.stderr.text()];
  expect({ output, errors, status: await child.exited }).toEqual({ output: "", errors: "", status: 0 });
});

/** Exits by itself with 0 when both faults were seen as uncaught exceptions and the connection came up all the same. */
const FAULTY_LISTENERS = `
  const { startServer, startClient } = await import(process.argv.at(-1));
  const seen = [];
  process.on("uncaughtException", (error) => seen.push(error.message));
  const onEvent = ({ type }) => { if (type === "listening") throw new Error("told") };
  const server = await startServer({ listen: "127.0.0.1/0", target: "127.0.0.3/9", udpSendOnly: true }, { onEvent });
  server.on("connected", () => { throw new Error("emitted") });
  const client = await startClient({ connect: "127.0.0.1/" + server.tcp[0].port, target: "127.0.0.3/9", udpSendOnly: true });
  await new Promise((resolve) => server.once("disconnected", resolve) && client.once("connected", () => client.close()));
  await server.close();
  if (seen.join() !== "told,emitted") process.exit(3);
`;

test("a snapshot stands still, adds up and is plain data", async () => {
  const used = scene();
  const pair = await used.pair();
  const before = pair.client.tunnel.stats();
  pair.clientApp.send(CLIENT, "hello");
  await used.clock.settle();
  const after = pair.client.tunnel.stats();
  expect(before.outbound.received).toBe(0);
  expect(after.outbound).toEqual({
    received: 1,
    receivedBytes: 5,
    sent: 1,
    sentBytes: 7,
    held: 0,
    dropped: before.outbound.dropped,
  });
  expect(JSON.parse(JSON.stringify(after))).toEqual(after);
});

test("an aborted signal closes every tunnel it was given to, and nothing else", async () => {
  const used = scene();
  const abort = new AbortController();
  const pair = await used.pair();
  const network = new MemoryNetwork(used.wire, "10.0.0.9");
  const given = { listen: "10.0.0.9/4000", target: `${SERVER_APP}/5000` };
  const aborted = await startServer(given, { network, signal: abort.signal });
  let over = false;
  void aborted.closed.then(() => {
    over = true;
  });
  abort.abort();
  await used.clock.advance(1100);
  expect(over).toBe(true);
  pair.clientApp.send(CLIENT, "still here");
  await used.clock.settle();
  expect(pair.serverApp.texts).toEqual(["still here"]);
});

test("a signal aborted before or while the tunnel starts leaves nothing open", async () => {
  const wire = new MemoryWire();
  const network = new MemoryNetwork(wire, SERVER);
  const reason = new Error("not needed any more");
  const aborted = AbortSignal.abort(reason);
  await expect(startServer(server, { network, signal: aborted })).rejects.toBe(reason);
  const abort = new AbortController();
  const starting = startServer(server, { network, signal: abort.signal });
  abort.abort(reason);
  await expect(starting).rejects.toBe(reason);
  await wire.clock.settle();
  expect([wire.listeners.size, wire.datagramPorts.size, wire.clock.pending]).toEqual([0, 0, 0]);
});

test("several tunnels in one process, ended by `await using`, each on its own", async () => {
  const ports = [await freeUdpPort(), await freeUdpPort()];
  const names: string[] = [];
  for (const port of ports) {
    await using listening = await startServer({
      listen: "127.0.0.1/0",
      target: `127.0.0.3/${port}`,
      bind: "127.0.0.1",
    });
    const [at] = listening.tcp;
    await using dialling = await startClient({
      connect: `127.0.0.1/${at?.port}`,
      target: `127.0.0.3/${port}`,
      bind: "127.0.0.2",
    });
    const [event] = (await once(dialling, "connected")) as [TunnelEvent];
    names.push(event.type);
    expect(listening.listenerCount("connected")).toBe(0);
  }
  expect(names).toEqual(["connected", "connected"]);
  // Their ports are free again.
  for (const port of ports) (await Bun.udpSocket({ hostname: "127.0.0.1", port })).close();
});

test("the sockets event says what the system gives", async () => {
  const port = await freeUdpPort();
  const events: TunnelEvent[] = [];
  await using tunnel = await startServer(
    { listen: "127.0.0.1/0", target: `127.0.0.3/${port}`, socketBufferBytes: 2 ** 30, offload: "off" },
    { onEvent: (event) => events.push(event) },
  );
  tunnel.on("socket settings", (event) => events.push(event));
  await until("the handle's event", () => events.length === 3);
  const [, told, heard] = events;
  expect(told).toBe(heard as TunnelEvent);
  expect(told).toMatchObject({ type: "socket settings", segmentOffload: false, socketBufferBytes: 2 ** 30 });
  expect(told).toMatchObject({ offloadLack: expect.stringMatching(/^(switched off|not on this system)$/) });
});

test("importing and using the library prints nothing, holds nothing open and changes nothing global", async () => {
  const child = Bun.spawn([process.execPath, "-e", QUIET_USE, LIBRARY], { stdout: "pipe", stderr: "pipe" });
  const [output, errors] = [await child.stdout.text(), await child.stderr.text()];
  expect({ output, errors, status: await child.exited }).toEqual({ output: "", errors: "", status: 0 });
});

/** Exits by itself with 0 only when nothing of the library keeps it alive; with 3 when something global has changed. */
const QUIET_USE = `
  const seen = () => JSON.stringify([
    Object.getOwnPropertyNames(globalThis).sort(), process.eventNames(), process.exitCode ?? null, Object.keys(process.env).sort(),
  ]);
  const before = seen();
  const { startServer, startClient } = await import(process.argv.at(-1));
  if (seen() !== before) process.exit(3);
  const server = await startServer({ listen: "127.0.0.1/0", target: "127.0.0.3/9", udpSendOnly: true });
  for (let i = 0; i < 20; i++) server.on("connected", () => {});
  const client = await startClient({ connect: "127.0.0.1/" + server.tcp[0].port, target: "127.0.0.3/9", udpSendOnly: true });
  await new Promise((resolve) => client.once("connected", resolve));
  await client.close();
  await server.close();
  await startServer({ listen: "no such/thing", target: "" }).catch(() => {});
  if (seen() !== before) process.exit(3);
`;
