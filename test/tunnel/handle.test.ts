/** The public handle of a tunnel: events, snapshot, abort signal. The library has no side effects. */

import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { startClient, startServer, type TunnelEvent } from "../../src/index.ts";
import { freeUdpPort } from "../support/loopback.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import { CLIENT, Scene, SERVER, SERVER_APP } from "../support/memory-tunnels.ts";
import { until } from "../support/until.ts";

const LIBRARY = new URL("../../src/index.ts", import.meta.url).pathname;

const scenes: Scene[] = [];
function newScene(): Scene {
  const scene = new Scene();
  scenes.push(scene);
  return scene;
}
afterEach(async () => {
  for (const scene of scenes.splice(0)) await scene.end();
});

const server = { listen: `${SERVER}/4000`, target: `${SERVER_APP}/5000` };

test("a listener that is attached at once receives every event, beginning with listening", async () => {
  const scene = newScene();
  const network = new MemoryNetwork(scene.wire, SERVER);
  const reported: string[] = [];
  const tunnel = await startServer(server, { network, onEvent: ({ type }) => reported.push(type) });
  scene.started.push(tunnel);
  const emitted: string[] = [];
  tunnel.on("listening", ({ type, tcp }, level) => emitted.push(`${type} ${tcp[0]?.port} ${level}`));
  tunnel.once("unauthenticated listener", ({ type }) => emitted.push(type));
  tunnel.on("connected", ({ type, remote }) => emitted.push(`${type} ${remote.address}`));
  tunnel.on("disconnected", ({ type, reason }) => emitted.push(`${type}: ${reason}`));
  expect(reported).toEqual(["listening", "unauthenticated listener"]);
  const client = await scene.client();
  await scene.clock.settle();
  await Promise.all([client.tunnel.close(), scene.clock.advance(1100)]);
  await scene.clock.settle();
  expect(emitted).toEqual([
    "listening 4000 info",
    "unauthenticated listener",
    `connected ${CLIENT}`,
    "disconnected: closed by peer",
  ]);
  expect(reported).toEqual(["listening", "unauthenticated listener", "connected", "disconnected"]);
});

test("an error thrown by a listener is an uncaught exception, and the tunnel continues", async () => {
  const child = Bun.spawn([process.execPath, "-e", FAULTY_LISTENERS, LIBRARY], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = [await child.stdout.text(), await child.stderr.text()];
  expect({ output, errors, status: await child.exited }).toEqual({ output: "", errors: "", status: 0 });
});

/** Exits with 0 if both errors were uncaught exceptions and the connection came up nevertheless. */
const FAULTY_LISTENERS = `
  const { startServer, startClient } = await import(process.argv.at(-1));
  const seen = [];
  process.on("uncaughtException", (error) => seen.push(error.message));
  const onEvent = ({ type }) => { if (type === "listening") throw new Error("reported") };
  const given = { target: "127.0.0.3/9", udpSendOnly: true };
  const server = await startServer({ listen: "127.0.0.1/0", ...given }, { onEvent });
  server.on("connected", () => { throw new Error("emitted") });
  const client = await startClient({ connect: "127.0.0.1/" + server.tcp[0].port, ...given });
  client.once("connected", () => client.close());
  await new Promise((resolve) => server.once("disconnected", resolve));
  await server.close();
  if (seen.join() !== "reported,emitted") process.exit(3);
`;

test("a snapshot does not change, adds up and is plain data", async () => {
  const scene = newScene();
  const pair = await scene.pair();
  const before = pair.client.tunnel.stats();
  pair.clientApp.send(CLIENT, "hello");
  await scene.clock.settle();
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

test("an aborted signal closes its tunnel, and no other", async () => {
  const scene = newScene();
  const abort = new AbortController();
  const pair = await scene.pair();
  const network = new MemoryNetwork(scene.wire, "10.0.0.9");
  const given = { listen: "10.0.0.9/4000", target: `${SERVER_APP}/5000` };
  const aborted = await startServer(given, { network, signal: abort.signal });
  let closed = false;
  void aborted.closed.then(() => {
    closed = true;
  });
  abort.abort();
  await scene.clock.advance(1100);
  expect(closed).toBe(true);
  pair.clientApp.send(CLIENT, "still relayed");
  await scene.clock.settle();
  expect(pair.serverApp.texts).toEqual(["still relayed"]);
});

test("a signal that is aborted before or during the start leaves nothing open", async () => {
  const wire = new MemoryWire();
  const network = new MemoryNetwork(wire, SERVER);
  const reason = new Error("aborted by the test");
  const aborted = AbortSignal.abort(reason);
  await expect(startServer(server, { network, signal: aborted })).rejects.toBe(reason);
  const abort = new AbortController();
  const starting = startServer(server, { network, signal: abort.signal });
  abort.abort(reason);
  await expect(starting).rejects.toBe(reason);
  await wire.clock.settle();
  expect([wire.listeners.size, wire.datagramPorts.size, wire.clock.pending]).toEqual([0, 0, 0]);
});

test("`await using` ends each of several tunnels on its own", async () => {
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
  // The ports must be free again.
  for (const port of ports) (await Bun.udpSocket({ hostname: "127.0.0.1", port })).close();
});

test("the event of the socket settings has the buffers and the use of segment offload", async () => {
  const port = await freeUdpPort();
  const events: TunnelEvent[] = [];
  await using tunnel = await startServer(
    { listen: "127.0.0.1/0", target: `127.0.0.3/${port}`, socketBufferBytes: 2 ** 30, offload: "off" },
    { onEvent: (event) => events.push(event) },
  );
  tunnel.on("socket settings", (event) => events.push(event));
  await until("the handle's event", () => events.length === 3);
  const [, reported, emitted] = events;
  expect(reported).toBe(emitted as TunnelEvent);
  expect(reported).toMatchObject({
    type: "socket settings",
    segmentOffload: false,
    socketBufferBytes: 2 ** 30,
  });
  expect(reported).toMatchObject({
    offloadOffReason: expect.stringMatching(/^(switched off|not on this system)$/),
  });
});

test("the library prints nothing, keeps no process alive and changes nothing global", async () => {
  const child = Bun.spawn([process.execPath, "-e", QUIET_USE, LIBRARY], { stdout: "pipe", stderr: "pipe" });
  const [output, errors] = [await child.stdout.text(), await child.stderr.text()];
  expect({ output, errors, status: await child.exited }).toEqual({ output: "", errors: "", status: 0 });
});

/** Exits with 0 if the library does not keep the process alive, with 3 if something global has changed. */
const QUIET_USE = `
  const seen = () => JSON.stringify([
    Object.getOwnPropertyNames(globalThis).sort(), process.eventNames(),
    process.exitCode ?? null, Object.keys(process.env).sort(),
  ]);
  const before = seen();
  const { startServer, startClient } = await import(process.argv.at(-1));
  if (seen() !== before) process.exit(3);
  const given = { target: "127.0.0.3/9", udpSendOnly: true };
  const server = await startServer({ listen: "127.0.0.1/0", ...given });
  for (let i = 0; i < 20; i++) server.on("connected", () => {});
  const client = await startClient({ connect: "127.0.0.1/" + server.tcp[0].port, ...given });
  await new Promise((resolve) => client.once("connected", resolve));
  await client.close();
  await server.close();
  await startServer({ listen: "no such/thing", target: "" }).catch(() => {});
  if (seen() !== before) process.exit(3);
`;
