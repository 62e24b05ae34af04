import { describe, expect, test } from "bun:test";
import {
  App,
  CLIENT,
  CLIENT_APP,
  Scene,
  SERVER,
  SERVER_APP,
  TCP_PORT,
} from "../../support/memory-tunnels.ts";
import { frames } from "../../support/text.ts";

const OTHER = "10.0.0.3";

/** Connects and sends a frame, as a peer does. */
async function connectAndSend(scene: Scene, from: string) {
  const connection = await scene.connect(from);
  connection.stream.write(frames("hello"));
  await scene.clock.settle();
  return connection;
}

describe("which peer the server serves", () => {
  test("a frame from the same address replaces the first connection, which is closed gracefully", async () => {
    const scene = new Scene();
    const { tunnel, events } = await scene.server();
    const app = new App(scene.wire, SERVER_APP);
    const first = await scene.connect(CLIENT);
    app.send(SERVER, "to the first");
    await scene.clock.settle();
    const second = await connectAndSend(scene, CLIENT);
    app.send(SERVER, "to the second");
    await scene.clock.settle();
    expect(app.texts).toEqual(["hello"]);
    expect(first.observed).toMatchObject({
      ended: true,
      closed: false,
      chunks: [frames("to the first")],
    });
    expect(second.observed).toMatchObject({ ended: false, chunks: [frames("to the second")] });
    expect(events.filter(({ type }) => type === "disconnected")).toMatchObject([{ reason: "replaced" }]);
    await scene.clock.advance(1000);
    expect(first.observed).toMatchObject({ closed: true, code: "ECONNRESET" });
    expect(tunnel.counters.rejectedConnections).toBe(0);
    await scene.end();
  });

  test("after 3 replacements in 10 s the current connection is kept for 10 s, with one warning", async () => {
    const scene = new Scene();
    const { tunnel, warnings } = await scene.server({ allow: CLIENT });
    const connections = [];
    for (let count = 0; count < 6; count++) connections.push(await connectAndSend(scene, CLIENT));
    expect(connections.map(({ observed }) => observed.closed)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(warnings).toEqual([{ type: "peer flapping", address: CLIENT }]);
    expect(tunnel.counters.rejectedConnections).toBe(2);
    await scene.clock.advance(10_000);
    const last = await connectAndSend(scene, CLIENT);
    expect(last.observed.closed).toBe(false);
    expect(connections[3]?.observed.ended).toBe(true);
    await scene.end();
  });

  test("another address is rejected while the first connection is up, and accepted after it", async () => {
    const scene = new Scene();
    const { tunnel, events, warnings } = await scene.server();
    const first = await scene.connect(CLIENT);
    const second = await scene.connect(OTHER);
    expect(second.observed).toMatchObject({ closed: true, code: "ECONNRESET" });
    expect(events.at(-1)).toMatchObject({
      type: "connection rejected",
      reason: "peer already connected",
    });
    expect(warnings).toEqual([{ type: "unauthenticated listener", tcp: tunnel.tcp }]);
    expect(tunnel.counters.rejectedConnections).toBe(1);
    first.stream.terminate();
    await scene.clock.settle();
    expect((await scene.connect(OTHER)).observed.closed).toBe(false);
    await scene.end();
  });

  test("--allow rejects other addresses at once, and counts them", async () => {
    const scene = new Scene();
    const { tunnel, events, warnings } = await scene.server({ allow: ["10.0.0.2", "192.0.2.0/24"] });
    expect((await scene.connect(OTHER)).observed.closed).toBe(true);
    expect(events.at(-1)).toMatchObject({ type: "connection rejected", reason: "address not allowed" });
    const allowed = await scene.connect("192.0.2.77");
    expect(allowed.observed.closed).toBe(false);
    allowed.stream.terminate();
    await scene.clock.settle();
    expect((await scene.connect("::ffff:10.0.0.2")).observed.closed).toBe(false);
    expect(tunnel.counters.rejectedConnections).toBe(1);
    expect(warnings).toEqual([]);
    await scene.end();
  });

  test("-4 without an address listens on every IPv4 address, and on no IPv6 address", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ listen: TCP_PORT, family: 4 });
    expect(tunnel.tcp).toEqual([{ address: "0.0.0.0", port: TCP_PORT }]);
    await scene.end();
  });

  test("a server that listens on loopback only does not warn about an unauthenticated listener", async () => {
    const scene = new Scene();
    expect((await scene.server({ listen: `127.0.0.1/${TCP_PORT}` })).warnings).toEqual([]);
    await scene.end();
  });
});

describe("--rtp", () => {
  const both = { rtp: true };

  async function rtpPair() {
    const scene = new Scene();
    const { server, client, serverApp, clientApp } = await scene.pair(both, both);
    const serverRtcp = new App(scene.wire, SERVER_APP, 5001);
    const clientRtcp = new App(scene.wire, CLIENT_APP, 5001);
    return { scene, server, client, serverApp, clientApp, serverRtcp, clientRtcp };
  }

  test("carries each of the two ports over its own connection", async () => {
    const { scene, serverApp, clientApp, serverRtcp, clientRtcp } = await rtpPair();
    expect(scene.wire.dialled).toEqual([`${SERVER}:4000`, `${SERVER}:4001`]);
    clientApp.send(CLIENT, "rtp");
    clientRtcp.send(CLIENT, "rtcp");
    serverRtcp.send(SERVER, "report");
    await scene.clock.settle();
    expect([serverApp.texts, serverRtcp.texts, clientRtcp.texts]).toEqual([["rtp"], ["rtcp"], ["report"]]);
    await scene.end();
  });

  test("blocked RTP does not delay RTCP", async () => {
    const { scene, serverApp, clientApp, serverRtcp, clientRtcp } = await rtpPair();
    scene.wire.streams[0]?.[1].pause();
    clientApp.send(CLIENT, "rtp");
    clientRtcp.send(CLIENT, "rtcp");
    await scene.clock.settle();
    expect([serverApp.texts, serverRtcp.texts]).toEqual([[], ["rtcp"]]);
    await scene.end();
  });

  test("until both connections are up, datagrams are dropped in both directions", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server(both);
    const app = new App(scene.wire, SERVER_APP);
    const rtp = await scene.connect(CLIENT, 4000);
    app.send(SERVER, "early");
    rtp.stream.write(frames("early, too"));
    await scene.clock.settle();
    expect(tunnel.counters.outbound.dropped["pair incomplete"]).toBe(1);
    expect(tunnel.counters.inbound.dropped["pair incomplete"]).toBe(1);
    await scene.connect(CLIENT, 4001);
    app.send(SERVER, "now");
    rtp.stream.write(frames("now, too"));
    await scene.clock.settle();
    expect(app.texts).toEqual(["now, too"]);
    expect(rtp.observed.chunks).toEqual([frames("now")]);
    await scene.end();
  });

  test.each([0, 1])(
    "the loss of connection %p closes the other; the client reconnects both",
    async (lost) => {
      const { scene, client, server, clientApp, serverApp } = await rtpPair();
      await scene.clock.advance(5000);
      for (const end of scene.wire.streams[lost] ?? []) end.fail("ECONNRESET");
      await scene.clock.settle();
      clientApp.send(CLIENT, "between");
      await scene.clock.settle();
      expect(client.tunnel.counters.outbound.dropped["pair incomplete"]).toBe(1);
      await scene.clock.advance(100);
      expect(scene.wire.streams).toHaveLength(4);
      clientApp.send(CLIENT, "again");
      await scene.clock.settle();
      expect(serverApp.texts).toEqual(["again"]);
      expect(server.tunnel.udp.map(({ port }) => port)).toEqual([5000, 5001]);
      await scene.end();
    },
  );

  test("the client closes the first connection when it cannot make the second", async () => {
    const scene = new Scene();
    scene.wire.dialFault = ({ port }) => (port === 4001 ? "ECONNREFUSED" : undefined);
    const server = await scene.server(both);
    const client = await scene.client(both);
    await scene.clock.settle();
    expect(client.events.at(-1)).toMatchObject({ type: "dial failed", code: "ECONNREFUSED" });
    expect(server.events.at(-1)?.type).toBe("disconnected");
    scene.wire.dialFault = () => undefined;
    await scene.clock.advance(100);
    expect(client.events.at(-1)?.type).toBe("connected");
    await scene.end();
  });

  test("an incomplete pair is replaced from another address after 10 s", async () => {
    const scene = new Scene();
    const { events } = await scene.server(both);
    const half = await scene.connect(CLIENT, 4000);
    await scene.clock.advance(9999);
    expect((await scene.connect(OTHER, 4000)).observed.closed).toBe(true);
    expect(half.observed.ended).toBe(false);
    await scene.clock.advance(1);
    const rtp = await scene.connect(OTHER, 4000);
    const rtcp = await scene.connect(OTHER, 4001);
    expect([half.observed.ended, rtp.observed.ended, rtcp.observed.ended]).toEqual([true, false, false]);
    expect(events.filter(({ type }) => type === "disconnected")).toMatchObject([
      { reason: "pair incomplete" },
    ]);
    await scene.end();
  });

  test("both connections of a pair must come from one address", async () => {
    const scene = new Scene();
    await scene.server(both);
    await scene.connect(CLIENT, 4000);
    expect((await scene.connect(OTHER, 4001)).observed.closed).toBe(true);
    expect((await scene.connect(CLIENT, 4001)).observed.closed).toBe(false);
    await scene.end();
  });

  test("closing while one dial of a pair hangs leaves no timer", async () => {
    const scene = new Scene();
    scene.wire.dialFault = ({ port }) => (port === 4001 ? "hang" : undefined);
    await scene.server(both);
    await scene.client(both);
    await scene.clock.settle();
    await scene.end();
  });
});

test("closing waits for connections that are still closing gracefully, and leaves no timer", async () => {
  const scene = new Scene();
  const { tunnel } = await scene.server();
  await scene.connect(CLIENT); // never answers the FIN
  const second = await connectAndSend(scene, CLIENT);
  second.stream.terminate();
  await scene.clock.advance(400);
  let closed = false;
  void tunnel.close().then(() => {
    closed = true;
  });
  await scene.clock.advance(599);
  expect(closed).toBe(false);
  await scene.clock.advance(1);
  expect(closed).toBe(true);
  expect(scene.clock.pending).toBe(0);
});
