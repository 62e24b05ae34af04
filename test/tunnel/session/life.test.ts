/** The life of a session, in a memory network with a virtual clock. */

import { describe, expect, test } from "bun:test";
import { formatEndpoint } from "../../../src/net/endpoint.ts";
import { CLIENT, SERVER, UDP_PORT } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";
import { SessionScene } from "./session-scene.ts";

describe("each source", () => {
  test("has its own connection and port, and receives only its own answers", async () => {
    const scene = new SessionScene();
    await scene.both();
    const sources = [1, 2, 3].map((n) => scene.source(6000 + n));
    sources.push(scene.source(6001, "10.0.2.2")); // the same port at another address is another source
    for (const [n, source] of sources.entries()) source.send(`from ${n}`);
    await scene.clock.settle();
    for (const [n, source] of sources.entries()) expect(source.answers).toEqual([`re from ${n}`]);
    expect(scene.wire.streams).toHaveLength(4);
    expect(new Set(scene.target.received.map(({ from }) => from)).size).toBe(4);
    await scene.end();
  });

  test("keeps its connection and its port for all its datagrams", async () => {
    const scene = new SessionScene();
    await scene.both();
    const source = scene.source(6000);
    for (const text of ["a", "b", ""]) {
      source.send(text);
      await scene.clock.advance(1000);
    }
    expect(source.answers).toEqual(["re a", "re b", "re "]);
    expect(new Set(scene.target.received.map(({ from }) => from)).size).toBe(1);
    expect(scene.dials).toBe(1);
    await scene.end();
  });

  test("is rejected unless it is one of --from", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { from: ["10.0.2.0/24"] });
    scene.source(6000, "10.0.3.1").send("no");
    scene.source(6000, "10.0.2.9").send("yes");
    await scene.clock.settle();
    expect(scene.target.texts).toEqual(["yes"]);
    expect(client.tunnel.sessions).toBe(1);
    expect(client.tunnel.counters.outbound.dropped["wrong source"]).toBe(1);
    expect(client.warnings.map(({ type }) => type)).toEqual(["wrong source"]);
    await scene.end();
  });
});

describe("the first datagram", () => {
  test("is kept for as long as the dial takes", async () => {
    const scene = new SessionScene();
    scene.breakDials("ECONNREFUSED");
    await scene.both();
    const source = scene.source(6000);
    source.send("first");
    await scene.clock.advance(60_000);
    expect(scene.target.texts).toEqual([]);
    scene.breakDials(undefined);
    await scene.clock.advance(5000);
    expect(source.answers).toEqual(["re first"]);
    await scene.end();
  });

  test("ages as soon as there is a stream, also one that accepts no bytes", async () => {
    const scene = new SessionScene();
    scene.breakDials("ECONNREFUSED");
    const { client } = await scene.both({}, { maxDelayMs: 200 });
    const source = scene.source(6000);
    source.send("old");
    await scene.clock.advance(10_000);
    scene.breakDials(undefined);
    scene.wire.streamFaults = { ...scene.wire.streamFaults, bufferBytes: 0 };
    await scene.clock.advance(5000); // the stream has been up for longer than the age limit
    source.send("new");
    await scene.clock.settle();
    expect(client.tunnel.counters.outbound.dropped.expired).toBe(1);
    expect(client.tunnel.held.outbound).toBe(1);
    await scene.end();
  });

  test("waits with others up to the limit in bytes; the oldest are dropped", async () => {
    const scene = new SessionScene();
    scene.breakDials("ECONNREFUSED");
    const { client } = await scene.both({}, { queueBytesMax: 128 * 1024 });
    const source = scene.source(6000);
    const payload = (n: number) => utf8(`${n}`.padEnd(1022));
    for (let n = 0; n < 200; n++) source.send(payload(n));
    expect(client.tunnel.held.outbound).toBe(128);
    expect(client.tunnel.counters.outbound.dropped["queue full"]).toBe(72);
    scene.breakDials(undefined);
    await scene.clock.advance(1000);
    expect(scene.target.texts.map(Number)).toEqual(Array.from({ length: 128 }, (_, n) => n + 72));
    await scene.end();
  });
});

describe("an idle session", () => {
  test("ends after the timeout, at both ends; its source then has a new one", async () => {
    const scene = new SessionScene();
    const { server, client } = await scene.both({}, { idleTimeoutMs: 30_000 });
    const source = scene.source(6000);
    source.send("a");
    await scene.clock.advance(30_000);
    expect(client.tunnel.sessions).toBe(1);
    await scene.clock.advance(1100);
    expect(client.tunnel.sessions).toBe(0);
    await scene.clock.advance(1100);
    expect(server.tunnel.sessions).toBe(0);
    source.send("b");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re a", "re b"]);
    expect(scene.wire.streams).toHaveLength(2);
    await scene.end();
  });

  test.each(["the source's", "the target's"])("stays open while only %s datagrams pass", async (whose) => {
    const scene = new SessionScene();
    const { server, client } = await scene.both({ idleTimeoutMs: 10_000 }, { idleTimeoutMs: 10_000 });
    const source = scene.source(6000);
    source.send("hello");
    await scene.clock.settle();
    scene.target.answers = false;
    const port = scene.target.received[0]?.from ?? 0;
    for (let seconds = 0; seconds < 60; seconds += 6) {
      if (whose === "the source's") source.send("up");
      else scene.target.send(port, "down");
      await scene.clock.advance(6000);
    }
    expect([client.tunnel.sessions, server.tunnel.sessions]).toEqual([1, 1]);
    expect(scene.dials).toBe(1);
    await scene.end();
  });

  test("stays open with --idle 0", async () => {
    const scene = new SessionScene();
    const { server, client } = await scene.both({ idleTimeoutMs: 0 }, { idleTimeoutMs: 0 });
    scene.source(6000).send("a");
    await scene.clock.advance(3_600_000);
    expect([client.tunnel.sessions, server.tunnel.sessions]).toEqual([1, 1]);
    await scene.end();
  });

  test("without any frame is closed by the server as well", async () => {
    const scene = new SessionScene();
    const { server } = await scene.both({ idleTimeoutMs: 10_000 });
    const { observed } = await scene.connect("10.0.0.9");
    expect(server.tunnel.sessions).toBe(1);
    await scene.clock.advance(12_000);
    expect(server.tunnel.sessions).toBe(0);
    expect(observed.ended).toBe(true);
    await scene.end();
  });

  test("has no UDP socket at the server before its first frame", async () => {
    const scene = new SessionScene();
    await scene.both();
    await scene.connect("10.0.0.9");
    const sockets = [...scene.wire.datagramPorts.keys()].filter((key) => key.startsWith(`${SERVER}:`));
    expect(sockets).toEqual([]);
    await scene.end();
  });

  test("has no timer", async () => {
    const scene = new SessionScene();
    await scene.both();
    const before = scene.clock.pending;
    for (let n = 0; n < 50; n++) scene.source(6000 + n).send("a");
    await scene.clock.settle();
    expect(scene.clock.pending).toBe(before);
    await scene.end();
  });
});

describe("a connection that the server ends", () => {
  test("is dialled again when the source sends its next datagram, and not before", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both();
    const source = scene.source(6000);
    source.send("a");
    await scene.clock.settle();
    scene.stream[1].shutdown();
    await scene.clock.advance(10_000);
    expect(scene.dials).toBe(1);
    expect(client.tunnel.sessions).toBe(1);
    source.send("b");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re a", "re b"]);
    expect(scene.dials).toBe(2);
    await scene.end();
  });

  test("right after an answer is dialled again at once", async () => {
    const scene = new SessionScene();
    await scene.both();
    const source = scene.source(6000);
    source.send("a");
    await scene.clock.settle();
    scene.stream[1].fail("ECONNRESET");
    scene.stream[0].fail("ECONNRESET");
    source.send("b");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re a", "re b"]);
    await scene.end();
  });

  test("that received nothing is dialled again after a delay, without further datagrams", async () => {
    const scene = new SessionScene();
    await scene.both();
    scene.target.answers = false;
    const source = scene.source(6000);
    source.send("a");
    await scene.clock.settle();
    scene.stream[0].fail("ECONNRESET");
    source.send("b");
    await scene.clock.settle();
    expect(scene.dials).toBe(1);
    await scene.clock.advance(200);
    expect(scene.target.texts).toEqual(["a", "b"]);
    await scene.end();
  });

  test("while a datagram is queued loses no whole frame", async () => {
    const scene = new SessionScene();
    await scene.both();
    const source = scene.source(6000);
    source.send("a");
    await scene.clock.settle();
    source.send("b"); // queued, and written at the end of the tick
    scene.stream[0].fail("ECONNRESET"); // in the same tick
    await scene.clock.advance(200);
    expect(source.answers).toEqual(["re a", "re b"]);
    await scene.end();
  });
});

test("a session at the server ends with its connection, and its queued datagrams are counted", async () => {
  const scene = new SessionScene();
  const { server } = await scene.both();
  const source = scene.source(6000);
  source.send("a");
  await scene.clock.settle();
  const port = scene.target.received[0]?.from ?? 0;
  scene.stream[1].faults.bufferBytes = 10; // one frame of 10 bytes, and part of the next
  scene.stream[0].pause();
  for (let n = 0; n < 5; n++) scene.target.send(port, "12345678");
  await scene.clock.settle();
  expect(server.tunnel.held.outbound).toBe(4);
  scene.stream[1].fail("ECONNRESET");
  await scene.clock.settle();
  expect(server.tunnel.sessions).toBe(0);
  expect(server.tunnel.counters.outbound.dropped["stream lost"]).toBe(4);
  expect(scene.wire.datagramPorts.has(formatEndpoint({ address: SERVER, port }))).toBe(false);
  await scene.end();
});

test("a client that has sent FIN still gets its answer", async () => {
  const scene = new SessionScene();
  await scene.server();
  scene.target.answers = false;
  const { stream, observed } = await scene.connect("10.0.0.9");
  stream.write(new Uint8Array([0, 1, 0x41]));
  stream.shutdown();
  await scene.clock.advance(2000);
  scene.target.send(scene.target.received[0]?.from ?? 0, "late");
  await scene.clock.settle();
  expect(Buffer.concat(observed.chunks).toString("latin1")).toBe("\0\x04late");
  await scene.clock.advance(13_000);
  expect(observed.ended).toBe(true);
  await scene.end();
});

test("the client's UDP port stays the same when the server refuses", async () => {
  const scene = new SessionScene();
  const { client } = await scene.both();
  const before = client.tunnel.udp;
  scene.source(6000).send("a");
  await scene.clock.settle();
  scene.breakDials("ECONNREFUSED");
  scene.stream[1].terminate();
  await scene.clock.advance(30_000);
  expect(client.tunnel.udp).toEqual(before);
  expect(before).toEqual([{ address: CLIENT, port: UDP_PORT }]);
  await scene.end();
});
