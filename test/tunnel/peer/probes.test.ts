/** What a port scanner, a health check or a balancer's probe does to a served peer: nothing. And who replaces it. */

import { describe, expect, test } from "bun:test";
import { encodeFrame } from "../../../src/framing/index.ts";
import type { MemoryStreamPort } from "../../support/memory/stream-port.ts";
import { App, CLIENT, Scene, SERVER, SERVER_APP, TCP_PORT, utf8 } from "../../support/memory-tunnels.ts";

const frame = (text: string) => encodeFrame(utf8(text));

async function served(options: { rtp?: boolean } = {}) {
  const scene = new Scene();
  const server = await scene.server({ allow: CLIENT, ...options });
  const app = new App(scene.wire, SERVER_APP);
  const peer = await scene.connect(CLIENT);
  const rtcp = options.rtp ? await scene.connect(CLIENT, TCP_PORT + 1) : undefined;
  const ends = scene.wire.streams.map(([, end]) => end) as [MemoryStreamPort, ...MemoryStreamPort[]];
  let sent = 0;
  /** Asserts that this connection, and no other, is served. */
  const expectServed = async (connection: typeof peer) => {
    const text = `datagram ${sent++}`;
    app.send(SERVER, text);
    await scene.clock.settle();
    expect(connection.observed.chunks.at(-1)).toEqual(frame(text));
  };
  return { scene, ...server, app, peer, rtcp, ends, expectServed };
}

/** What the kernel would say of a stream whose peer's kernel was heard of last at this time. */
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

describe("a probe from the served peer's address", () => {
  test.each(["resets at once", "closes at once", "sends half a frame and closes"])(
    "that %s",
    async (what) => {
      const { scene, peer, expectServed, tunnel, events } = await served();
      for (let probe = 0; probe < 20; probe++) {
        const { stream } = await scene.connect(CLIENT);
        if (what.startsWith("sends")) stream.write(frame("GET / HTTP/1.1").subarray(0, 9));
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

  test("that stays and is silent, while the peer is there: is refused after 10 s", async () => {
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

  test("that comes many times and stays: 4 are held, and the oldest goes", async () => {
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

describe("a peer that has started again", () => {
  test("is served at its first whole frame, however it is cut, and nothing of it is lost", async () => {
    const { scene, app, peer, expectServed } = await served();
    const again = await scene.connect(CLIENT);
    for (const byte of frame("first")) {
      again.stream.write(Uint8Array.of(byte));
      await scene.clock.settle();
    }
    again.stream.write(frame("second"));
    await expectServed(again);
    expect(app.texts).toEqual(["first", "second"]);
    expect(peer.observed.ended).toBe(true);
    await scene.end();
  });

  test("and is silent is served as soon as its old host's kernel has answered a probe with a reset", async () => {
    const { scene, expectServed, events } = await served();
    scene.stream[0].fail("ECONNRESET"); // at that end alone
    const again = await scene.connect(CLIENT);
    await expectServed(again);
    expect(events.filter(({ type }) => type === "disconnected")).toMatchObject([{ code: "ECONNRESET" }]);
    expect(scene.clock.now()).toBe(0);
    await scene.end();
  });

  test("and is silent is served when the old one has acknowledged nothing for 3.5 s", async () => {
    const { scene, ends, expectServed, peer } = await served();
    ends[0].faults.gauge = lastAckAt(scene, () => 0);
    await scene.clock.advance(60_000); // an idle connection says nothing, which means nothing
    const again = await scene.connect(CLIENT);
    await scene.clock.advance(3999);
    expect(peer.observed.ended).toBe(false);
    await scene.clock.advance(1);
    await expectServed(again);
    await scene.end();
  });

  test("is served when the old connection ends, and of several that wait it is the newest", async () => {
    const { scene, peer, expectServed } = await served();
    const probe = await scene.connect(CLIENT);
    const again = await scene.connect(CLIENT);
    peer.stream.terminate();
    await scene.clock.settle();
    await expectServed(again);
    expect(probe.observed.closed).toBe(false);
    await scene.clock.advance(10_000);
    expect(probe.observed.closed).toBe(true);
    await scene.end();
  });

  test("in RTP mode takes both its connections along, beside a probe at one port", async () => {
    const { scene, app, expectServed, tunnel } = await served({ rtp: true });
    await scene.connect(CLIENT, TCP_PORT);
    const rtcp = await scene.connect(CLIENT, TCP_PORT + 1);
    const rtp = await scene.connect(CLIENT, TCP_PORT);
    rtp.stream.write(frame("rtp"));
    await scene.clock.settle();
    await expectServed(rtp);
    expect([app.texts, tunnel.counters.connects, rtcp.observed.ended]).toEqual([["rtp"], 2, false]);
    await scene.end();
  });

  test("has proved who it is where there is a secret, and need not send", async () => {
    const scene = new Scene();
    const server = await scene.server({ secret: "known-to-both-ends" });
    const first = await scene.client({ secret: "known-to-both-ends" });
    await scene.clock.settle();
    await scene.connect(CLIENT); // a probe: it proves nothing
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

test("closing refuses what waits, and leaves no timer", async () => {
  const { scene, tunnel } = await served();
  const probe = await scene.connect(CLIENT);
  await scene.end();
  expect([probe.observed.closed, tunnel.counters.rejectedConnections]).toEqual([true, 1]);
});
