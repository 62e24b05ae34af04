import { expect, test } from "bun:test";
import { encodeFrame } from "../../../src/framing/index.ts";
import { expectConserved } from "../../support/conservation.ts";
import {
  App,
  CLIENT,
  CLIENT_APP,
  Scene,
  SERVER,
  SERVER_APP,
  UDP_PORT,
} from "../../support/memory-tunnels.ts";

test("datagrams cross in both directions, empty ones too", async () => {
  const scene = new Scene();
  const { server, client, serverApp, clientApp } = await scene.pair();
  for (const text of ["a", "", "bc"]) clientApp.send(CLIENT, text);
  for (const text of ["", "x"]) serverApp.send(SERVER, text);
  await scene.clock.settle();
  expect(serverApp.texts).toEqual(["a", "", "bc"]);
  expect(clientApp.texts).toEqual(["", "x"]);
  expect(client.tunnel.counters.outbound).toMatchObject({
    received: 3,
    receivedBytes: 3,
    sent: 3,
    sentBytes: 9,
  });
  expect(server.tunnel.counters.inbound).toMatchObject({
    received: 3,
    receivedBytes: 3,
    sent: 3,
    sentBytes: 3,
  });
  await scene.end();
});

test("datagrams wait for the first connection, up to the age limit", async () => {
  const scene = new Scene();
  const client = await scene.client(); // dials at 0, 100 and 300 ms
  const clientApp = new App(scene.wire, CLIENT_APP);
  const serverApp = new App(scene.wire, SERVER_APP);
  await scene.clock.advance(99);
  clientApp.send(CLIENT, "too old");
  await scene.clock.advance(1);
  clientApp.send(CLIENT, "young enough");
  await scene.server();
  await scene.clock.advance(199);
  expect(client.tunnel.held.outbound).toBe(2);
  await scene.clock.advance(1);
  expect(serverApp.texts).toEqual(["young enough"]);
  expect(client.tunnel.counters.outbound.dropped.expired).toBe(1);
  await scene.end();
});

test("a lost stream costs the frame it had begun; the next stream starts on a frame boundary", async () => {
  const scene = new Scene();
  scene.wire.streamFaults.bufferBytes = 10;
  const { client, serverApp, clientApp } = await scene.pair();
  const [dialling, accepting] = scene.stream;
  accepting.pause();
  for (const text of ["first", "second", "third"]) clientApp.send(CLIENT, text);
  await scene.clock.settle();
  expect(client.tunnel.held.outbound).toBe(2);
  scene.wire.streamFaults.bufferBytes = 1 << 20;
  dialling.fail("ECONNRESET");
  accepting.fail("ECONNRESET");
  await scene.clock.advance(99);
  expect(client.tunnel.held.outbound).toBe(1);
  await scene.clock.advance(1);
  expect(serverApp.texts).toEqual(["third"]);
  expect(client.tunnel.counters.outbound.dropped["stream lost"]).toBe(1);
  await scene.end();
});

test("after a reconnect, datagrams older than the age limit are not sent", async () => {
  const scene = new Scene();
  const { client, serverApp, clientApp } = await scene.pair({}, { maxDelayMs: 80 });
  for (const end of scene.stream) end.fail("ECONNRESET");
  clientApp.send(CLIENT, "old");
  await scene.clock.advance(30);
  clientApp.send(CLIENT, "recent");
  await scene.clock.advance(70);
  expect(serverApp.texts).toEqual(["recent"]);
  expect(client.tunnel.counters.outbound.dropped.expired).toBe(1);
  await scene.end();
});

test("without an age limit all datagrams wait", async () => {
  const scene = new Scene();
  const client = await scene.client({ maxDelayMs: 0 });
  const clientApp = new App(scene.wire, CLIENT_APP);
  const serverApp = new App(scene.wire, SERVER_APP);
  for (let second = 0; second < 20; second++) {
    clientApp.send(CLIENT, `${second}`);
    await scene.clock.advance(1000);
  }
  expect(client.tunnel.held.outbound).toBe(20);
  await scene.server();
  await scene.clock.advance(5000);
  expect(serverApp.texts).toEqual(Array.from({ length: 20 }, (_, second) => `${second}`));
  await scene.end();
});

test("a peer that stops reading costs the oldest datagrams, and framing stays intact", async () => {
  const scene = new Scene();
  scene.wire.streamFaults.bufferBytes = 3000;
  const { client, serverApp, clientApp } = await scene.pair({}, { queueBytesMax: 128 * 1024, maxDelayMs: 0 });
  scene.stream[1].pause();
  const numbered = (number: number) => new Uint8Array(1000).fill(number);
  for (let number = 0; number < 250; number++) {
    clientApp.send(CLIENT, numbered(number));
    await scene.clock.settle();
  }
  expectConserved(client.tunnel);
  const { sent, dropped } = client.tunnel.counters.outbound;
  expect(dropped["queue full"]).toBeGreaterThan(100);
  expect(client.tunnel.held.outbound * 1002).toBeLessThanOrEqual(128 * 1024 + 1002);
  scene.stream[1].resume();
  await scene.clock.settle();
  const arrived = serverApp.received.map((payload) => payload[0] as number);
  const newest = Array.from({ length: 250 }, (_, number) => number).slice(250 - (arrived.length - sent - 1));
  expect(arrived).toEqual([0, 1, 2, ...newest]);
  expect(serverApp.received.every((payload) => payload.every((byte) => byte === payload[0]))).toBe(true);
  await scene.end();
});

test("datagrams that wait too long for a slow stream expire", async () => {
  const scene = new Scene();
  scene.wire.streamFaults.bufferBytes = 6;
  const { client, serverApp, clientApp } = await scene.pair();
  scene.stream[1].pause();
  for (const text of ["1234", "5678", "9"]) clientApp.send(CLIENT, text);
  await scene.clock.advance(201);
  scene.stream[1].resume();
  await scene.clock.settle();
  expect(serverApp.texts).toEqual(["1234"]);
  expect(client.tunnel.counters.outbound.dropped.expired).toBe(2);
  await scene.end();
});

test("a frame too long for UDP is dropped, and the stream continues", async () => {
  const scene = new Scene();
  const server = await scene.server();
  const serverApp = new App(scene.wire, SERVER_APP);
  const { stream } = await scene.connect(CLIENT);
  for (const bytes of [65_507, 65_508, 65_535, 1]) stream.write(encodeFrame(new Uint8Array(bytes).fill(7)));
  await scene.clock.settle();
  expect(serverApp.received.map((payload) => payload.length)).toEqual([65_507, 1]);
  expect(server.tunnel.counters.inbound).toMatchObject({ received: 4, sent: 2 });
  expect(server.tunnel.counters.inbound.dropped["too long"]).toBe(2);
  await scene.end();
});

test("IPv6 carries 65,527 bytes", async () => {
  const scene = new Scene();
  const app = "2001:db8::9";
  const server = await scene.server({ target: `${app}/${UDP_PORT}` });
  const lengths: number[] = [];
  scene.udp(SERVER).faults.refuse = (payload) => void lengths.push(payload.length);
  const { stream } = await scene.connect(CLIENT);
  for (const bytes of [65_527, 65_528]) stream.write(encodeFrame(new Uint8Array(bytes)));
  await scene.clock.settle();
  expect(lengths).toEqual([65_527]);
  expect(server.tunnel.counters.inbound.dropped["too long"]).toBe(1);
  await scene.end();
});

test("a full UDP socket pauses the stream, without loss", async () => {
  const scene = new Scene();
  scene.wire.streamFaults.chunkBytesMax = 7;
  const { server, serverApp, clientApp } = await scene.pair();
  const socket = scene.udp(SERVER);
  socket.faults.room = 2;
  const texts = Array.from({ length: 20 }, (_, number) => `datagram ${number}`);
  for (const text of texts) clientApp.send(CLIENT, text);
  await scene.clock.settle();
  expect(serverApp.texts).toEqual(texts.slice(0, 2));
  expectConserved(server.tunnel);
  expect(server.tunnel.held.inbound).toBe(1);
  for (let round = 0; round < 6; round++) {
    socket.drain(3);
    await scene.clock.settle();
    expectConserved(server.tunnel);
  }
  expect(serverApp.texts).toEqual(texts);
  await scene.end();
});

test("datagrams that wait too long for a full UDP socket expire when it has room", async () => {
  const scene = new Scene();
  const { server, serverApp, clientApp } = await scene.pair();
  const socket = scene.udp(SERVER);
  socket.faults.room = 0;
  for (const text of ["a", "b", "c"]) clientApp.send(CLIENT, text);
  await scene.clock.advance(201);
  socket.drain();
  clientApp.send(CLIENT, "d");
  await scene.clock.settle();
  expect(serverApp.texts).toEqual(["d"]);
  expect(server.tunnel.counters.inbound.dropped.expired).toBe(3);
  await scene.end();
});

test("datagrams that the UDP socket cannot send are counted by reason, and the others are sent", async () => {
  const scene = new Scene();
  const { server, serverApp, clientApp } = await scene.pair();
  const refusals: Record<string, string> = { long: "EMSGSIZE", away: "ENETUNREACH", odd: "EPERM" };
  scene.udp(SERVER).faults.refuse = (payload) => refusals[new TextDecoder().decode(payload)];
  for (const text of ["a", "long", "away", "b", "odd", "c"]) clientApp.send(CLIENT, text);
  await scene.clock.settle();
  expect(serverApp.texts).toEqual(["a", "b", "c"]);
  expect(server.tunnel.counters.inbound.dropped).toMatchObject({
    "too long": 1,
    unreachable: 1,
    "send error": 1,
  });
  await scene.end();
});

test("closing writes the queued datagrams", async () => {
  const scene = new Scene();
  const { client, serverApp, clientApp } = await scene.pair();
  clientApp.send(CLIENT, "last words");
  const closing = client.tunnel.close();
  expect(client.tunnel.close()).toBe(closing);
  clientApp.send(CLIENT, "too late");
  await scene.clock.advance(50);
  await closing;
  await client.tunnel.closed;
  expect(serverApp.texts).toEqual(["last words"]);
  expect(client.tunnel.counters.outbound.dropped.closing).toBe(1);
  await scene.end();
});

test("closing takes at most a second, whatever the peer does", async () => {
  const scene = new Scene();
  scene.wire.streamFaults.bufferBytes = 3;
  const { client, clientApp } = await scene.pair();
  scene.stream[1].pause();
  for (const text of ["stuck", "behind"]) clientApp.send(CLIENT, text);
  await scene.clock.settle();
  let closed = false;
  void client.tunnel.close().then(() => {
    closed = true;
  });
  await scene.clock.advance(990);
  expect(closed).toBe(false);
  await scene.clock.advance(20);
  expect(closed).toBe(true);
  expect(client.tunnel.counters.outbound.dropped).toMatchObject({ "stream lost": 1, closing: 1 });
  await scene.end();
});

test("closing counts the datagrams that a full UDP socket still holds", async () => {
  const scene = new Scene();
  const { server, clientApp } = await scene.pair();
  scene.udp(SERVER).faults.room = 0;
  clientApp.send(CLIENT, "never");
  await scene.clock.settle();
  expect(server.tunnel.held.inbound).toBe(1);
  await scene.end();
  expect(server.tunnel.counters.inbound.dropped.closing).toBe(1);
});

test("the ports are free again after closing", async () => {
  const scene = new Scene();
  const { server } = await scene.pair();
  await scene.end();
  expect(scene.wire.listeners.size).toBe(0);
  expect([...scene.wire.datagramPorts.keys()].sort()).toEqual([
    `${SERVER_APP}:${UDP_PORT}`,
    `${CLIENT_APP}:${UDP_PORT}`,
  ]);
  expect(server.tunnel.tcp).toHaveLength(1);
});
