/** The limits of sessions, memory and open files, and their warnings. */

import { describe, expect, test } from "bun:test";
import { SERVER_APP } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";
import { SessionScene } from "./session-scene.ts";

const countOf = (events: { type: string }[], type: string) =>
  events.filter((event) => event.type === type).length;

describe("with --max-sessions", () => {
  test("while all sessions are in use, new sources are rejected with one warning", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { maxSessions: 2 });
    const [a, b, c] = [1, 2, 3].map((n) => scene.source(6000 + n));
    a?.send("a");
    b?.send("b");
    await scene.clock.advance(60_000);
    for (let n = 0; n < 5; n++) c?.send("c");
    await scene.clock.settle();
    expect(client.tunnel.sessions).toBe(2);
    expect(client.tunnel.counters.outbound.dropped["session limit"]).toBe(5);
    expect(countOf(client.warnings, "session rejected")).toBe(1);
    expect(scene.target.texts).toEqual(["a", "b"]);
    await scene.end();
  });

  test("the session that has been idle longest is evicted, after more than 60 s", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { maxSessions: 2 });
    const [a, b, c] = [1, 2, 3].map((n) => scene.source(6000 + n));
    a?.send("a");
    b?.send("b");
    await scene.clock.advance(30_000);
    a?.send("a again");
    await scene.clock.advance(30_001);
    c?.send("c");
    await scene.clock.settle();
    expect(c?.answers).toEqual(["re c"]);
    expect(client.tunnel.sessions).toBe(2);
    const closed = client.events.filter((event) => event.type === "session closed");
    expect(closed).toMatchObject([{ source: { port: 6002 }, reason: "evicted" }]);
    await scene.end();
  });

  test("the server evicts in the same way", async () => {
    const scene = new SessionScene();
    const { server } = await scene.both({ maxSessions: 1 });
    const first = await scene.connect("10.0.3.1");
    await scene.clock.advance(60_001);
    const second = await scene.connect("10.0.3.2");
    expect([first.observed.ended, second.observed.closed]).toEqual([true, false]);
    expect(server.tunnel.sessions).toBe(1);
    expect(server.tunnel.counters.rejectedConnections).toBe(0);
    await scene.end();
  });

  test("the server evicts the session of a client whose address has all sessions", async () => {
    const scene = new SessionScene();
    const { server } = await scene.both({ maxSessions: 1 });
    const first = await scene.connect("10.0.3.1");
    const second = await scene.connect("10.0.3.1");
    expect([first.observed.ended, second.observed.closed]).toEqual([false, true]);
    expect(countOf(server.warnings, "session rejected")).toBe(1);
    expect(countOf(server.warnings, "address limit")).toBe(0);
    await scene.clock.advance(60_001);
    const third = await scene.connect("10.0.3.1");
    expect([first.observed.ended, third.observed.closed]).toEqual([true, false]);
    await scene.end();
  });

  test("the server resets further connections, with one warning", async () => {
    const scene = new SessionScene();
    const { server } = await scene.both({ maxSessions: 2 });
    for (let n = 0; n < 4; n++) await scene.connect(`10.0.3.${n}`);
    expect(server.tunnel.sessions).toBe(2);
    expect(server.tunnel.counters.rejectedConnections).toBe(2);
    expect(countOf(server.warnings, "session rejected")).toBe(1);
    await scene.end();
  });

  test("one TCP address has a lower limit, and its own warning", async () => {
    const scene = new SessionScene();
    const server = await scene.server({ maxSessionsPerAddress: 2, allow: "10.0.0.0/8" });
    const first = await scene.connect("10.0.3.1");
    await scene.connect("10.0.3.1");
    const third = await scene.connect("10.0.3.1");
    expect(third.observed.closed).toBe(true);
    await scene.connect("10.0.3.1");
    expect(server.warnings).toEqual([{ type: "address limit", address: "10.0.3.1", sessions: 2 }]);
    const other = await scene.connect("10.0.3.2");
    expect(other.observed.closed).toBe(false);
    expect(server.tunnel.sessions).toBe(3);
    first.stream.terminate();
    await scene.clock.settle();
    const again = await scene.connect("10.0.3.1");
    expect(again.observed.closed).toBe(false);
    expect(server.tunnel.counters.rejectedConnections).toBe(2);
    await scene.end();
  });
});

test("all queues together hold at most sixteen times the limit of one queue", async () => {
  const scene = new SessionScene();
  const queueBytesMax = 128 * 1024;
  const { client } = await scene.both({}, { queueBytesMax });
  scene.breakDials("hang");
  const payload = utf8("x".repeat(1022)); // 1,024 bytes with its header
  for (let n = 0; n < 20; n++) {
    const source = scene.source(6000 + n);
    for (let datagrams = 0; datagrams < 128; datagrams++) source.send(payload);
  }
  expect(client.tunnel.budget.bytes).toBe(16 * queueBytesMax);
  expect(client.tunnel.counters.outbound.dropped["queue full"]).toBe(4 * 128);
  await scene.end();
  expect(client.tunnel.budget.bytes).toBe(0);
});

describe("a server without per-source mode", () => {
  /** A server that closes `times` connections in a row. */
  async function closingServer(times: number, answersFirst = false) {
    const scene = new SessionScene();
    const { client } = await scene.both();
    scene.target.answers = answersFirst;
    const source = scene.source(6000);
    for (let n = 0; n < times; n++) {
      source.send("hello");
      await scene.clock.advance(5000);
      scene.stream[1].shutdown();
      await scene.clock.advance(5000);
    }
    await scene.end();
    return client;
  }

  test("is reported after three connections that ended without an answer", async () => {
    expect(countOf((await closingServer(2)).events, "mode mismatch")).toBe(0);
    const client = await closingServer(5);
    expect(countOf(client.events, "mode mismatch")).toBe(1);
    expect(countOf(client.warnings, "mode mismatch")).toBe(1);
  });

  test("is not reported if it answers and then closes", async () => {
    const client = await closingServer(5, true);
    expect(countOf(client.events, "mode mismatch")).toBe(0);
  });

  test("is dialled with growing delays", async () => {
    const scene = new SessionScene();
    await scene.both({ allow: ["192.0.2.1"] }); // resets every connection
    const source = scene.source(6000);
    for (let n = 0; n < 600; n++) {
      source.send("hello");
      await scene.clock.advance(100);
    }
    // in a minute: 0.1 s, 0.2 s ... 3.2 s, then every 5 s
    expect(scene.dials).toBeGreaterThan(10);
    expect(scene.dials).toBeLessThan(20);
    await scene.end();
  });
});

describe("a limit of open files", () => {
  test("that is too low for the sessions lowers their number, with a warning", async () => {
    const scene = new SessionScene();
    const { MemoryNetwork } = await import("../../support/memory/network.ts");
    const limited = Object.assign(new MemoryNetwork(scene.wire, "10.0.0.7"), { descriptorLimit: () => 84 });
    const { startServer } = await import("../../../src/index.ts");
    const warnings: { type: string }[] = [];
    const tunnel = await startServer(
      { listen: "10.0.0.7/4000", target: `${SERVER_APP}/5000`, perSource: true, maxSessions: 100 },
      { network: limited, onEvent: (event, level) => void (level === "warning" && warnings.push(event)) },
    );
    scene.started.push(tunnel);
    expect(warnings).toMatchObject([
      { type: "fd limit", sessions: 21, wanted: 100, limit: 84 },
      { type: "unauthenticated listener" },
    ]);
    await scene.end();
  });
});
