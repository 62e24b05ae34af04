import { expect, test } from "bun:test";
import { CLIENT, SERVER } from "../../support/memory-tunnels.ts";
import { frames } from "../../support/text.ts";
import { SessionScene } from "./session-scene.ts";

/**
 * A server with two answers queued, because the peer of its only session does not read.
 *
 * @returns also the session's UDP port.
 */
async function withSlowReader() {
  const scene = new SessionScene();
  const { tunnel } = await scene.server();
  scene.target.answers = false;
  const { stream, observed } = await scene.connect(CLIENT);
  stream.write(frames("opens the session"));
  await scene.clock.settle();
  const port = scene.target.received[0]?.from as number;
  for (const end of scene.stream) end.faults.bufferBytes = 0;
  for (const answer of ["first", "second"]) scene.target.send(port, answer);
  await scene.clock.settle();
  return { scene, tunnel, stream, observed, port };
}

test("a closing server drops further datagrams from UDP, and writes the queued ones", async () => {
  const { scene, tunnel, observed, port } = await withSlowReader();
  const closing = tunnel.close();
  for (const late of ["late", "later"]) scene.target.send(port, late);
  expect(tunnel.counters.outbound).toMatchObject({ received: 4, dropped: { closing: 2 } });
  expect(tunnel.held.outbound).toBe(2);
  for (const end of scene.stream) end.faults.bufferBytes = 1000;
  scene.stream[0].resume();
  await scene.clock.advance(2000);
  await closing;
  expect(new Uint8Array(Buffer.concat(observed.chunks))).toEqual(frames("first", "second"));
  expect(tunnel.counters.outbound.dropped.closing).toBe(2);
  await scene.end();
});

test("a closing server drops further datagrams from TCP", async () => {
  const { scene, tunnel, stream } = await withSlowReader();
  scene.stream[1].faults.bufferBytes = 1000;
  scene.stream[0].faults.bufferBytes = 1000;
  scene.stream[0].pause(); // the peer still does not read
  scene.target.send(scene.target.received[0]?.from as number, new Uint8Array(2000));
  const closing = tunnel.close();
  stream.write(frames("late", "later"));
  await scene.clock.advance(100);
  expect(tunnel.counters.inbound).toMatchObject({ received: 3, sent: 1, dropped: { closing: 2 } });
  expect(scene.target.texts).toEqual(["opens the session"]);
  await scene.clock.advance(2000);
  await closing;
  await scene.end();
});

test("a closing server still sends to UDP what it received before", async () => {
  const { scene, tunnel, stream } = await withSlowReader();
  const socket = [...scene.wire.datagramPorts.values()].find(({ local }) => local.address === SERVER);
  if (socket === undefined) throw new Error("the session has no socket");
  scene.stream[0].faults.bufferBytes = 10_000;
  socket.faults.room = 0;
  stream.write(frames("early", "earlier"));
  await scene.clock.settle();
  const closing = tunnel.close();
  socket.drain();
  await scene.clock.settle();
  expect(scene.target.texts).toEqual(["opens the session", "early", "earlier"]);
  await scene.clock.advance(2000);
  await closing;
  await scene.end();
});

test("a listener to the end of an idle session can close the tunnel, which stops the sweep", async () => {
  const scene = new SessionScene();
  const { client } = await scene.both({}, { idleTimeoutMs: 5000 });
  client.tunnel.once("session closed", () => void client.tunnel.close());
  scene.source(6000).send("once");
  await scene.clock.advance(10_000);
  expect(client.tunnel.stats().state).toBe("closed");
  await scene.end(); // no timer is left
});

test("closing waits for the streams that are being closed gracefully, and leaves no timer", async () => {
  const scene = new SessionScene();
  const { client } = await scene.both({}, { idleTimeoutMs: 5000 });
  scene.source(6000).send("a");
  await scene.clock.settle();
  scene.stream[0].faults.blackHole = true;
  await scene.clock.advance(6500); // idle: the FIN is sent and never arrives
  expect(client.tunnel.sessions).toBe(0);
  let closed = false;
  const closing = client.tunnel.close().then(() => {
    closed = true;
  });
  await scene.clock.settle();
  expect(closed).toBe(false);
  await scene.clock.advance(1000);
  await closing;
  await scene.end();
});
