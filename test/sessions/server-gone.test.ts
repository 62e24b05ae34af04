/** What a client with many sessions does when its server is gone, and when it is back. */

import { describe, expect, test } from "bun:test";
import { SERVER_ENDPOINT, SessionScene } from "./session-scene.ts";

/** A client whose server is gone and whose sources have all sent. */
async function withoutServer(sources: number) {
  const scene = new SessionScene();
  const { client } = await scene.both();
  scene.breakDials("ECONNREFUSED");
  const all = Array.from({ length: sources }, (_, n) => scene.source(10_000 + n));
  for (const source of all) source.send("hello");
  await scene.clock.settle();
  return { scene, client, sources: all };
}

describe("a server that is gone", () => {
  test("is looked for by one dial at a time, ever more seldom, for a thousand sessions", async () => {
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

  test("is looked for more often while a source sends", async () => {
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

  test("is looked for by one dial at a time when it does not even refuse", async () => {
    const { scene } = await withoutServer(0);
    scene.breakDials("hang");
    for (let n = 0; n < 1000; n++) scene.source(20_000 + n).send("hello");
    await scene.clock.advance(4999);
    expect(scene.dials).toBe(1);
    await scene.clock.advance(200);
    expect(scene.dials).toBe(2);
    await scene.end();
  });

  test("is not looked for when nobody waits for it any more", async () => {
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

  test("serves every session when it is back", async () => {
    const { scene, sources } = await withoutServer(1000);
    await scene.clock.advance(10_000);
    scene.breakDials(undefined);
    await scene.clock.advance(5000);
    for (const source of sources) expect(source.answers).toEqual(["re hello"]);
    await scene.end();
  });

  test("is news again when it was back and goes away anew, and is looked for as soon as at first", async () => {
    const { scene, client, sources } = await withoutServer(1);
    await scene.clock.advance(30_000);
    scene.breakDials(undefined);
    await scene.clock.advance(5000);
    scene.breakDials("ECONNREFUSED");
    for (const [near] of scene.wire.streams) near.fail("ECONNRESET");
    const before = scene.dials;
    sources[0]?.send("again");
    await scene.clock.advance(350); // 0.1 s and 0.2 s later
    expect(scene.dials - before).toBe(4); // the session's own dial, and three that look for the server
    expect(client.warnings.map(({ type }) => type)).toEqual(["dial failed", "dial failed"]);
    await scene.end();
  });

  test("makes no storm when it goes away under a thousand sessions that all go on sending", async () => {
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
    // The dials that were the first to find out, and then one at a time.
    expect(scene.dials - before).toBeLessThanOrEqual(64 + 20);
    expect(scene.wire.dialled.every((to) => to === SERVER_ENDPOINT)).toBe(true);
    await scene.end();
  });
});

test("no more than 64 dials are under way at once", async () => {
  const scene = new SessionScene();
  await scene.both();
  scene.wire.dialFault = () => (scene.dials === 1 ? undefined : "hang"); // the probe finds the server, then it is stuck
  for (let n = 0; n < 1000; n++) scene.source(10_000 + n).send("hello");
  await scene.clock.settle();
  expect(scene.dials).toBe(1 + 64);
  expect(scene.target.texts).toEqual(["hello"]);
  await scene.end();
});

test("closing gives up the dial under way, and dials no more", async () => {
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

test("closing while the server's name is looked up dials no more", async () => {
  const scene = new SessionScene();
  scene.wire.names.set("server.example", ["10.0.0.1"]);
  const { client } = await scene.both({}, { connect: "server.example/4000" });
  scene.source(6000).send("hello"); // the look-up settles in a later turn
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
