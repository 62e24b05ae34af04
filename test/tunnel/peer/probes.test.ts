/**
 * Probes (of port scanners, health checks, load balancers) do not disturb the current peer. A restarted peer
 * replaces it.
 */

import { describe, expect, test } from "bun:test";
import type { MemoryStreamPort } from "../../support/memory/stream-port.ts";
import { App, CLIENT, Scene, SERVER, SERVER_APP, TCP_PORT } from "../../support/memory-tunnels.ts";
import { frames } from "../../support/text.ts";

async function served(options: { rtp?: boolean } = {}) {
  const scene = new Scene();
  const server = await scene.server({ allow: CLIENT, ...options });
  const app = new App(scene.wire, SERVER_APP);
  const peer = await scene.connect(CLIENT);
  const rtcp = options.rtp ? await scene.connect(CLIENT, TCP_PORT + 1) : undefined;
  const ends = scene.wire.streams.map(([, end]) => end) as [MemoryStreamPort, ...MemoryStreamPort[]];
  let sent = 0;
  /** Asserts that the server relays to this connection. */
  const expectServed = async (connection: typeof peer) => {
    const text = `datagram ${sent++}`;
    app.send(SERVER, text);
    await scene.clock.settle();
    expect(connection.observed.chunks.at(-1)).toEqual(frames(text));
  };
  return { scene, ...server, app, peer, rtcp, ends, expectServed };
}

/** The kernel's state of a stream whose peer last acknowledged something at this time. */
function lastAckAt(scene: Scene, at: () => number) {
  return () => ({
    unackedBytes: 0,
    inFlightBytes: 0,
    outstandingBytes: 0,
    unsentBytes: 0,
    mssBytes: 1460,
    rttMs: 1,
    minRttMs: 1,
    deliveredBytes: 0,
    retransmits: 0,
    lastAckMs: scene.clock.now() - at(),
  });
}

describe("the current peer keeps its connection during a probe from its address", () => {
  test.each(["resets at once", "closes at once", "sends half a frame and closes"])(
    "that %s",
    async (what) => {
      const { scene, peer, expectServed, tunnel, events } = await served();
      for (let probe = 0; probe < 20; probe++) {
        const { stream } = await scene.connect(CLIENT);
        if (what.startsWith("sends")) stream.write(frames("GET / HTTP/1.1").subarray(0, 9));
        if (what === "resets at once") stream.terminate();
        else stream.shutdown();
        await scene.clock.settle();
      }
      await expectServed(peer);
      expect([tunnel.counters.connects, tunnel.counters.rejectedConnections]).toEqual([1, 20]);
      expect(events.filter(({ type }) => type === "disconnected")).toEqual([]);
      await scene.end();
    },
  );

  test("that stays silent: it is rejected after 10 s", async () => {
    const { scene, peer, expectServed, ends } = await served();
    ends[0].faults.gauge = lastAckAt(scene, () => Math.floor(scene.clock.now() / 1000) * 1000);
    const probe = await scene.connect(CLIENT);
    expect(ends[0].probedOften).toBe(true);
    await scene.clock.advance(9999);
    expect(probe.observed.closed).toBe(false);
    await scene.clock.advance(1);
    expect(probe.observed).toMatchObject({ closed: true, code: "ECONNRESET" });
    expect(ends[0].probedOften).toBe(false);
    await expectServed(peer);
    await scene.end();
  });

  test("that comes 6 times: 4 stay pending, and the oldest are evicted", async () => {
    const { scene, peer, expectServed } = await served();
    const probes = [];
    for (let count = 0; count < 6; count++) probes.push(await scene.connect(CLIENT));
    expect(probes.map(({ observed }) => observed.closed)).toEqual([true, true, false, false, false, false]);
    await expectServed(peer);
    await scene.end();
  });

  test.each([0, 1])("at port %p of RTP mode", async (index) => {
    const { scene, peer, rtcp, expectServed, tunnel } = await served({ rtp: true });
    const probe = await scene.connect(CLIENT, TCP_PORT + index);
    await expectServed(peer);
    await scene.clock.advance(10_000);
    expect([probe, peer, rtcp].map((each) => each?.observed.closed)).toEqual([true, false, false]);
    expect(tunnel.counters.connects).toBe(1);
    await scene.end();
  });
});

describe("a restarted peer", () => {
  test("is accepted at its first whole frame, however it is cut, and no data is lost", async () => {
    const { scene, app, peer, expectServed } = await served();
    const restarted = await scene.connect(CLIENT);
    for (const byte of frames("first")) {
      restarted.stream.write(Uint8Array.of(byte));
      await scene.clock.settle();
    }
    restarted.stream.write(frames("second"));
    await expectServed(restarted);
    expect(app.texts).toEqual(["first", "second"]);
    expect(peer.observed.ended).toBe(true);
    await scene.end();
  });

  test("that is silent is accepted as soon as the former host answers a probe with a reset", async () => {
    const { scene, expectServed, events } = await served();
    scene.stream[0].fail("ECONNRESET"); // at that end only
    const restarted = await scene.connect(CLIENT);
    await expectServed(restarted);
    expect(events.filter(({ type }) => type === "disconnected")).toMatchObject([{ code: "ECONNRESET" }]);
    expect(scene.clock.now()).toBe(0);
    await scene.end();
  });

  test("that is silent is accepted when the former one has acknowledged nothing for 3.5 s", async () => {
    const { scene, ends, expectServed, peer } = await served();
    ends[0].faults.gauge = lastAckAt(scene, () => 0);
    await scene.clock.advance(60_000); // silence on an idle connection has no meaning
    const restarted = await scene.connect(CLIENT);
    await scene.clock.advance(3999);
    expect(peer.observed.ended).toBe(false);
    await scene.clock.advance(1);
    await expectServed(restarted);
    await scene.end();
  });

  test("is accepted when the former connection ends: of several pending ones, the newest", async () => {
    const { scene, peer, expectServed } = await served();
    const probe = await scene.connect(CLIENT);
    const restarted = await scene.connect(CLIENT);
    peer.stream.terminate();
    await scene.clock.settle();
    await expectServed(restarted);
    expect(probe.observed.closed).toBe(false);
    await scene.clock.advance(10_000);
    expect(probe.observed.closed).toBe(true);
    await scene.end();
  });

  test("in RTP mode is accepted with both connections, while a probe is pending at one port", async () => {
    const { scene, app, expectServed, tunnel } = await served({ rtp: true });
    await scene.connect(CLIENT, TCP_PORT);
    const rtcp = await scene.connect(CLIENT, TCP_PORT + 1);
    const rtp = await scene.connect(CLIENT, TCP_PORT);
    rtp.stream.write(frames("rtp"));
    await scene.clock.settle();
    await expectServed(rtp);
    expect([app.texts, tunnel.counters.connects, rtcp.observed.ended]).toEqual([["rtp"], 2, false]);
    await scene.end();
  });

  test("that is authenticated is accepted without a frame", async () => {
    const scene = new Scene();
    const server = await scene.server({ secret: "known-to-both-ends" });
    const first = await scene.client({ secret: "known-to-both-ends" });
    await scene.clock.settle();
    await scene.connect(CLIENT); // a probe, without the proof
    scene.wire.datagramPorts.delete(`${CLIENT}:5000`);
    const second = await scene.client({ secret: "known-to-both-ends" });
    await scene.clock.settle();
    expect(server.tunnel.counters.connects).toBe(2);
    expect(first.events).toContainEqual(
      expect.objectContaining({ type: "disconnected", reason: "closed by peer" }),
    );
    expect(second.events.at(-1)?.type).toBe("connected");
    await scene.end();
  });
});

test("closing rejects pending connections, and leaves no timer", async () => {
  const { scene, tunnel } = await served();
  const probe = await scene.connect(CLIENT);
  await scene.end();
  expect([probe.observed.closed, tunnel.counters.rejectedConnections]).toEqual([true, 1]);
});
