import { expect, test } from "bun:test";
import { encodeFrame } from "../../../src/framing/index.ts";
import { CLIENT, SERVER, utf8 } from "../../support/memory-tunnels.ts";
import { SessionScene } from "./session-scene.ts";

const frames = (...texts: string[]) => Buffer.concat(texts.map((text) => encodeFrame(utf8(text))));

/** A server with one session whose peer does not read, and where its target reaches it. */
async function besideSlowReader() {
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

test("a server that closes takes nothing more from its sessions' sockets, and writes what is queued", async () => {
  const { scene, tunnel, observed, port } = await besideSlowReader();
  const closing = tunnel.close();
  for (const late of ["late", "later"]) scene.target.send(port, late);
  expect(tunnel.counters.outbound).toMatchObject({ received: 4, dropped: { closing: 2 } });
  expect(tunnel.held.outbound).toBe(2);
  for (const end of scene.stream) end.faults.bufferBytes = 1000;
  scene.stream[0].resume();
  await scene.clock.advance(2000);
  await closing;
  expect(Buffer.concat(observed.chunks)).toEqual(frames("first", "second"));
  expect(tunnel.counters.outbound.dropped.closing).toBe(2);
  await scene.end();
});

test("nor anything from their connections", async () => {
  const { scene, tunnel, stream } = await besideSlowReader();
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

test("what had come before is still sent to UDP", async () => {
  const { scene, tunnel, stream } = await besideSlowReader();
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

test("a tunnel that is closed in answer to the end of an idle session looks for no more of them", async () => {
  const scene = new SessionScene();
  const { client } = await scene.both({}, { idleTimeoutMs: 5000 });
  client.tunnel.once("session closed", () => void client.tunnel.close());
  scene.source(6000).send("once");
  await scene.clock.advance(10_000);
  expect(client.tunnel.stats().state).toBe("closed");
  await scene.end(); // no timer is left
});
