/** The stream transport with authentication: alone, and in whole tunnels on a network in memory. */

import { describe, expect, test } from "bun:test";
import { AuthenticatedTransport } from "../../src/auth/authenticated-transport.ts";
import type { StreamPort } from "../../src/net/stream-port.ts";
import { secretOf } from "../options/secret-of.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import { App, CLIENT, Scene, SERVER, SERVER_APP, TCP_PORT } from "../support/memory-tunnels.ts";
import { frames } from "../support/text.ts";
import { SessionScene } from "../tunnel/session/session-scene.ts";
import { authenticate, responseTo, secret } from "./raw-clients.ts";

test("the transport passes on the underlying streams", async () => {
  const wire = new MemoryWire();
  const transport = (address: string) =>
    new AuthenticatedTransport(new MemoryNetwork(wire, address), {
      clock: wire.clock,
      secret: secretOf(secret),
      onAuthFailed() {},
    });
  const accepted: StreamPort[] = [];
  transport(SERVER).listen({ port: TCP_PORT }, (stream) => accepted.push(stream));
  const dial = transport(CLIENT).dial({ address: SERVER, port: TCP_PORT });
  await wire.clock.settle();
  expect(await dial.stream).toBe(wire.streams[0]?.[0] as StreamPort);
  expect(accepted[0]).toBe(wire.streams[0]?.[1] as StreamPort);
  expect(wire.clock.pending).toBe(0);
});

test("a quarter of the open files is for pending connections, and the rest for authenticated ones", () => {
  const plain = new MemoryNetwork(new MemoryWire(), SERVER);
  const limitOf = (limit: number) => {
    plain.descriptorLimit = () => limit;
    const authentication = { clock: plain.clock, secret: secretOf(secret), onAuthFailed() {} };
    return new AuthenticatedTransport(plain, authentication).descriptorLimit();
  };
  expect([64, 1024, 65_536, Infinity].map(limitOf)).toEqual([48, 768, 65_280, Infinity]);
});

test("closing a listener closes only its own pending connections", async () => {
  const wire = new MemoryWire();
  const { clock } = wire;
  const authentication = { clock, secret: secretOf(secret), onAuthFailed() {} };
  const server = new AuthenticatedTransport(new MemoryNetwork(wire, SERVER), authentication);
  const authenticated: number[] = [];
  const listeners = [4000, 4001].map((port) => server.listen({ port }, () => void authenticated.push(port)));
  const connections = [4000, 4001].map((port) => {
    const observed = { chunks: [] as Uint8Array[], closed: false };
    const receiver = {
      onChunk: (chunk: Uint8Array) => void observed.chunks.push(chunk),
      onDrain() {},
      onEnd() {},
      onClose: () => void Object.assign(observed, { closed: true }),
    };
    const { stream } = new MemoryNetwork(wire, CLIENT).dial({ address: SERVER, port });
    void stream.then((connected) => connected.receive(receiver));
    return { observed, stream };
  });
  await clock.settle();
  listeners[0]?.close();
  await clock.settle();
  expect(connections.map(({ observed }) => observed.closed)).toEqual([true, false]);
  const [challenge = new Uint8Array()] = connections[1]?.observed.chunks ?? [];
  (await connections[1]?.stream)?.write(responseTo(challenge));
  await clock.settle();
  expect(authenticated).toEqual([4001]);
  listeners[1]?.close();
  expect(clock.pending).toBe(0);
});

describe("two ends with the same secret", () => {
  test("relay in peer mode, and after a reconnect", async () => {
    const scene = new Scene();
    const { server, clientApp, serverApp, client } = await scene.pair({ secret }, { secret });
    clientApp.send(CLIENT, "there");
    serverApp.send(SERVER, "back");
    await scene.clock.settle();
    scene.stream[0].fail("ECONNRESET");
    scene.stream[1].fail("ECONNRESET");
    await scene.clock.advance(1000);
    clientApp.send(CLIENT, "again");
    await scene.clock.settle();
    expect([serverApp.texts, clientApp.texts]).toEqual([["there", "again"], ["back"]]);
    expect([server.warnings, client.warnings, server.tunnel.counters.connects]).toEqual([[], [], 2]);
    await scene.end();
  });

  test("relay in RTP mode", async () => {
    const scene = new Scene();
    const { serverApp, clientApp } = await scene.pair({ secret, rtp: true }, { secret, rtp: true });
    const [serverRtcp, clientRtcp] = [
      new App(scene.wire, SERVER_APP, 5001),
      new App(scene.wire, "10.0.1.2", 5001),
    ];
    clientApp.send(CLIENT, "rtp");
    clientRtcp.send(CLIENT, "rtcp");
    await scene.clock.settle();
    expect([serverApp.texts, serverRtcp.texts]).toEqual([["rtp"], ["rtcp"]]);
    await scene.end();
  });

  test("relay in per-source mode, with a handshake for each source", async () => {
    const scene = new SessionScene();
    const { server } = await scene.both({ secret }, { secret });
    const sources = Array.from({ length: 100 }, (_, index) => scene.source(6000 + index));
    for (const source of sources) source.send(`from ${source.port}`);
    await scene.clock.settle();
    expect(sources.map(({ answers }) => answers)).toEqual(sources.map(({ port }) => [`re from ${port}`]));
    expect(server.tunnel.counters.rejectedConnections).toBe(0);
    await scene.end();
  });

  test("lose no datagram when TCP delivers one byte at a time", async () => {
    const scene = new Scene();
    scene.wire.streamFaults.chunkBytesMax = 1;
    const { clientApp, serverApp } = await scene.pair({ secret }, { secret });
    clientApp.send(CLIENT, "there");
    serverApp.send(SERVER, "back");
    await scene.clock.settle();
    expect([serverApp.texts, clientApp.texts]).toEqual([["there"], ["back"]]);
    await scene.end();
  });

  test("relay a frame that follows the response directly", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret });
    const app = new App(scene.wire, SERVER_APP);
    const { observed } = await authenticate(scene, CLIENT, frames("at once"));
    expect(app.texts).toEqual(["at once"]);
    expect(observed.chunks.map(({ length }) => length)).toEqual([32]);
    expect(tunnel.counters.connects).toBe(1);
    await scene.end();
  });
});
