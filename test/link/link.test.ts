/** Streams of a link that begin and end, in whole tunnels on a network in memory. */

import { expect, test } from "bun:test";
import { App, CLIENT, Scene, SERVER, SERVER_APP } from "../support/memory-tunnels.ts";
import { frames } from "../support/text.ts";

async function serverWithApp() {
  const scene = new Scene();
  const { tunnel } = await scene.server();
  return { scene, tunnel, app: new App(scene.wire, SERVER_APP), socket: scene.udp(SERVER) };
}

test("half a frame at the end of one stream does not become part of the next", async () => {
  const { scene, tunnel, app } = await serverWithApp();
  for (const half of [[0], [0, 9], [0, 9, 1, 2]]) {
    const { stream } = await scene.connect(CLIENT);
    stream.write(Uint8Array.from(half));
    await scene.clock.settle();
    stream.terminate();
    await scene.clock.settle();
  }
  const { stream } = await scene.connect(CLIENT);
  stream.write(frames("whole"));
  await scene.clock.settle();
  expect(app.texts).toEqual(["whole"]);
  expect(tunnel.counters.inbound.received).toBe(1);
  await scene.end();
});

test("undelivered frames count as held, and as `stream lost` when their stream ends", async () => {
  const { scene, tunnel, app, socket } = await serverWithApp();
  const { stream } = await scene.connect(CLIENT);
  socket.faults.room = 0;
  stream.write(Buffer.concat([new Uint8Array(1024 * 2), frames("a", "b", "c")]));
  await scene.clock.settle();
  expect(tunnel.held.inbound).toBe(1027);
  stream.terminate();
  await scene.clock.settle();
  expect(tunnel.counters.inbound).toMatchObject({ received: 1027, sent: 0 });
  expect(tunnel.counters.inbound.dropped["stream lost"]).toBe(3);
  socket.drain();
  await scene.clock.settle();
  expect(app.received).toHaveLength(1024);
  await scene.end();
});

test("a stream that comes up while the UDP socket is full is read when the socket has room", async () => {
  const { scene, tunnel, app, socket } = await serverWithApp();
  const first = await scene.connect(CLIENT);
  socket.faults.room = 0;
  first.stream.write(frames("held"));
  await scene.clock.settle();
  first.stream.terminate();
  await scene.clock.settle();
  scene.wire.streamFaults.bufferBytes = 100;
  const second = await scene.connect(CLIENT);
  expect(second.stream.write(new Uint8Array(100))).toBe(100);
  await scene.clock.settle();
  expect(second.stream.write(new Uint8Array(1))).toBe(0);
  expect(tunnel.counters.inbound.received).toBe(1);
  socket.drain();
  await scene.clock.settle();
  expect(app.received).toHaveLength(51);
  await scene.end();
});

test("a peer that sends FIN gets the data written before, then our FIN", async () => {
  const { scene, tunnel, app } = await serverWithApp();
  const { stream, observed } = await scene.connect(CLIENT);
  app.send(SERVER, "answer");
  stream.write(frames("question"));
  stream.shutdown();
  await scene.clock.settle();
  expect(app.texts).toEqual(["question"]);
  expect(observed).toMatchObject({
    chunks: [frames("answer")],
    ended: true,
    closed: true,
    code: undefined,
  });
  expect(tunnel.counters.outbound.sent).toBe(1);
  await scene.end();
});

test("garbage is sent to the target as far as it parses, and no memory stays in use", async () => {
  const { scene, tunnel, app } = await serverWithApp();
  const { stream } = await scene.connect(CLIENT);
  let state = 1;
  const garbage = new Uint8Array(500_000).map(() => {
    state = (state * 1103515245 + 12345) >>> 0;
    return state >>> 16;
  });
  stream.write(garbage);
  await scene.clock.settle();
  const { received, sent, sentBytes } = tunnel.counters.inbound;
  expect(received).toBeGreaterThan(5);
  expect(app.received.length).toBe(sent);
  expect(app.received.reduce((sum, payload) => sum + payload.length, 0)).toBe(sentBytes);
  expect(tunnel.held.inbound).toBe(0);
  await scene.end();
});

test("a stream to a black hole takes no more data, and the tunnel still closes", async () => {
  const scene = new Scene();
  scene.wire.streamFaults.bufferBytes = 4;
  const { client, clientApp } = await scene.pair();
  scene.stream[0].faults.blackHole = true;
  for (const text of ["ab", "cd"]) clientApp.send(CLIENT, text);
  await scene.clock.settle();
  expect(client.tunnel.counters.outbound.sent).toBe(1);
  expect(client.tunnel.held.outbound).toBe(1);
  await scene.end();
});
