/** A client with many sessions while its server is down, and after that. */

import { describe, expect, test } from "bun:test";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { SERVER, TCP_PORT } from "../../support/memory-tunnels.ts";
import { SERVER_ENDPOINT, SessionScene } from "./session-scene.ts";

/** A client whose server is down; each source has sent a datagram. */
async function withoutServer(sources: number) {
  const scene = new SessionScene();
  const { client } = await scene.both();
  scene.breakDials("ECONNREFUSED");
  const all = Array.from({ length: sources }, (_, n) => scene.source(10_000 + n));
  for (const source of all) source.send("hello");
  await scene.clock.settle();
  return { scene, client, sources: all };
}

describe("a server that is down", () => {
  test("is probed by one dial at a time, with growing delays, for a thousand sessions", async () => {
    const { scene, client } = await withoutServer(1000);
    expect(client.tunnel.sessions).toBe(1000);
    expect(scene.dials).toBe(1);
    await scene.clock.advance(60_000);
    // 0.1 s, 0.2 s ... 3.2 s, then every 5 s
    expect(scene.dials).toBeGreaterThan(10);
    expect(scene.dials).toBeLessThan(20);
    expect(client.warnings.map(({ type }) => type)).toEqual(["dial failed"]);
    await scene.end();
  });

  test("is probed more often while a source sends", async () => {
    const { scene, sources } = await withoutServer(1);
    await scene.clock.advance(30_000);
    const before = scene.dials;
    for (let n = 0; n < 50; n++) {
      sources[0]?.send("again");
      await scene.clock.advance(200);
    }
    expect(scene.dials - before).toBeGreaterThanOrEqual(11);
    expect(scene.dials - before).toBeLessThanOrEqual(14);
    await scene.end();
  });

  test("is probed by one dial at a time when it does not answer at all", async () => {
    const { scene } = await withoutServer(0);
    scene.breakDials("hang");
    for (let n = 0; n < 1000; n++) scene.source(20_000 + n).send("hello");
    await scene.clock.advance(4999);
    expect(scene.dials).toBe(1);
    await scene.clock.advance(200);
    expect(scene.dials).toBe(2);
    await scene.end();
  });

  test("is not probed when no session needs it", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { idleTimeoutMs: 5000 });
    scene.breakDials("ECONNREFUSED");
    scene.source(6000).send("hello");
    await scene.clock.advance(15_000);
    expect(client.tunnel.sessions).toBe(0);
    expect(client.tunnel.counters.outbound.dropped["stream lost"]).toBe(1);
    const before = scene.dials;
    await scene.clock.advance(60_000);
    expect(scene.dials).toBe(before);
    await scene.end();
  });

  test("serves every session when it is up again", async () => {
    const { scene, sources } = await withoutServer(1000);
    await scene.clock.advance(10_000);
    scene.breakDials(undefined);
    await scene.clock.advance(5000);
    for (const source of sources) expect(source.answers).toEqual(["re hello"]);
    await scene.end();
  });

  test("causes a second warning after an uptime, and short delays again", async () => {
    const { scene, client, sources } = await withoutServer(1);
    await scene.clock.advance(30_000);
    scene.breakDials(undefined);
    await scene.clock.advance(5000);
    scene.breakDials("ECONNREFUSED");
    for (const [near] of scene.wire.streams) near.fail("ECONNRESET");
    const before = scene.dials;
    sources[0]?.send("again");
    await scene.clock.advance(350); // 0.1 s and 0.2 s later
    expect(scene.dials - before).toBe(4); // the session's own dial and three probes
    expect(client.warnings.map(({ type }) => type)).toEqual(["dial failed", "dial failed"]);
    await scene.end();
  });

  test("causes no dial storm when it goes down while a thousand sessions send", async () => {
    const scene = new SessionScene();
    await scene.both();
    const sources = Array.from({ length: 1000 }, (_, n) => scene.source(10_000 + n));
    for (const source of sources) source.send("one");
    await scene.clock.settle();
    const before = scene.dials;
    scene.breakDials("ECONNREFUSED");
    for (const [near] of scene.wire.streams) near.fail("ECONNRESET");
    for (let n = 0; n < 10; n++) {
      for (const source of sources) source.send("two");
      await scene.clock.advance(1000);
    }
    // The dials that were pending at the first refusal, then one at a time.
    expect(scene.dials - before).toBeLessThanOrEqual(64 + 20);
    expect(scene.wire.dialled.every((to) => to === SERVER_ENDPOINT)).toBe(true);
    await scene.end();
  });
});

test("at most 64 dials are pending at once", async () => {
  const scene = new SessionScene();
  await scene.both();
  scene.wire.dialFault = () => (scene.dials === 1 ? undefined : "hang"); // only the probe succeeds
  for (let n = 0; n < 1000; n++) scene.source(10_000 + n).send("hello");
  await scene.clock.settle();
  expect(scene.dials).toBe(1 + 64);
  expect(scene.target.texts).toEqual(["hello"]);
  await scene.end();
});

test("closing cancels the pending dial and stops dialling", async () => {
  const scene = new SessionScene();
  const { client } = await scene.both();
  scene.breakDials("hang");
  scene.source(6000).send("hello");
  await scene.clock.settle();
  await client.tunnel.close();
  expect(client.tunnel.counters.outbound.dropped.closing).toBe(1);
  const before = scene.dials;
  await scene.clock.advance(20_000);
  expect(scene.dials).toBe(before);
  await scene.end();
});

test("closing during the look-up of the server's name stops dialling", async () => {
  const scene = new SessionScene();
  scene.wire.names.set("server.example", ["10.0.0.1"]);
  const { client } = await scene.both({}, { connect: "server.example/4000" });
  scene.source(6000).send("hello"); // the look-up settles in a later tick
  const closed = client.tunnel.close();
  await scene.clock.settle();
  await closed;
  expect(scene.dials).toBe(0);
  await scene.end();
});

test("a second server is tried when the first does not answer", async () => {
  const scene = new SessionScene();
  await scene.both({}, { connect: ["10.9.9.9/4000", "10.0.0.1/4000"] });
  const source = scene.source(6000);
  source.send("hello");
  await scene.clock.advance(200);
  expect(scene.wire.dialled).toEqual(["10.9.9.9:4000", SERVER_ENDPOINT]);
  expect(source.answers).toEqual(["re hello"]);
  await scene.end();
});

describe("a server that accepts connections and closes them", () => {
  /** A client whose sources each send ten times a second. The server ends each connection after `afterMs`. */
  async function withClosingServer(sources: number, seconds: number, afterMs = 0) {
    const scene = new SessionScene();
    const listener = new MemoryNetwork(scene.wire, SERVER).listen({ port: TCP_PORT }, (stream) => {
      stream.receive({ onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} });
      scene.clock.after(afterMs, () => stream.terminate());
    });
    const client = await scene.client();
    const all = Array.from({ length: sources }, (_, n) => scene.source(10_000 + n));
    const dialsBySecond: number[] = [];
    for (let second = 0; second < seconds; second++) {
      const before = scene.dials;
      for (let turn = 0; turn < 10; turn++) {
        for (const source of all) source.send("hello");
        await scene.clock.advance(100);
      }
      dialsBySecond.push(scene.dials - before);
    }
    return { scene, client, sources: all, listener, dialsBySecond };
  }

  test("is dialled a few times in the first second, then once a second, and causes one warning", async () => {
    const { scene, client, dialsBySecond } = await withClosingServer(100, 30);
    expect(dialsBySecond[0]).toBeLessThanOrEqual(5);
    expect(Math.max(...dialsBySecond.slice(3))).toBeLessThanOrEqual(2);
    expect(client.warnings).toEqual([{ type: "mode mismatch", server: "10.0.0.1/4000" }]);
    const disconnected = client.events.filter(({ type }) => type === "session disconnected");
    expect(disconnected.length).toBeGreaterThan(20); // at level debug
    await scene.end();
  });

  test("causes one warning, also when dials are reset in between", async () => {
    const scene = new SessionScene();
    new MemoryNetwork(scene.wire, SERVER).listen({ port: TCP_PORT }, (stream) => stream.terminate());
    scene.wire.dialFault = () => (scene.dials % 2 === 0 ? "ECONNRESET" : undefined);
    const { warnings } = await scene.client();
    const source = scene.source(6000);
    for (let second = 0; second < 30; second++) {
      source.send("hello");
      await scene.clock.advance(1000);
    }
    expect(warnings.map(({ type }) => type)).toEqual(["dial failed", "mode mismatch"]);
    await scene.end();
  });

  test("is detected by one connection, even when it closes connections after a second", async () => {
    const { scene, dialsBySecond } = await withClosingServer(100, 30, 1000);
    expect(Math.max(...dialsBySecond.slice(8))).toBeLessThanOrEqual(2);
    await scene.end();
  });

  test("once, while other sessions are answered, delays none of the others", async () => {
    const scene = new SessionScene();
    await scene.both();
    scene.source(6000).send("hello");
    await scene.clock.settle();
    scene.target.answers = false;
    scene.source(6001).send("unanswered");
    await scene.clock.settle();
    scene.stream[1].terminate();
    scene.target.answers = true;
    await scene.clock.settle();
    const other = scene.source(6002);
    other.send("at once");
    await scene.clock.settle();
    expect(other.answers).toEqual(["re at once"]);
    await scene.end();
  });

  test("serves every session when it works again", async () => {
    const { scene, sources, listener } = await withClosingServer(100, 10);
    listener.close();
    await scene.server();
    await scene.clock.advance(6000);
    for (const source of sources) source.send("again");
    await scene.clock.advance(6000);
    for (const source of sources) expect(source.answers).toContain("re again");
    await scene.end();
  });

  test("a target that does not answer delays the other sessions only until the trial ends", async () => {
    const scene = new SessionScene();
    await scene.both();
    scene.target.answers = false;
    for (let n = 0; n < 10; n++) scene.source(10_000 + n).send("one way");
    await scene.clock.advance(299);
    expect(scene.target.texts).toHaveLength(1);
    await scene.clock.advance(1);
    expect(scene.target.texts).toHaveLength(10);
    await scene.end();
  });
});
