import { describe, expect, test } from "bun:test";
import { sum } from "../../src/observe/stats.ts";
import { CLIENT, Scene, SERVER, TCP_PORT } from "../support/memory-tunnels.ts";

/** The kernel's figures of a stream. */
const gauge = (retransmits: number) => ({
  unackedBytes: 10,
  inFlightBytes: 10,
  outstandingBytes: 30,
  unsentBytes: 20,
  mssBytes: 1460,
  rttMs: 12,
  minRttMs: 8,
  deliveredBytes: 0,
  retransmits,
});

test("a snapshot has every value, can be JSON, and does not change", async () => {
  const scene = new Scene();
  const { server, client, clientApp } = await scene.pair();
  for (const text of ["one", "three"]) clientApp.send(CLIENT, text);
  await scene.clock.advance(50);
  const before = client.tunnel.stats();
  expect(before).toMatchObject({
    state: "connected",
    uptimeMs: 50,
    outbound: { received: 2, receivedBytes: 8, sent: 2, sentBytes: 12, held: 0 },
    inbound: { received: 0, sent: 0 },
    queueBytes: 0,
    undeliveredBytes: 0,
    writes: 1,
    sends: 0,
    sessions: 0,
    connects: 1,
    kernelDrops: undefined,
    retransmits: 0,
    streams: [{ remote: { address: SERVER, port: TCP_PORT } }],
  });
  expect(before.delay.counts.reduce((all, count) => all + count)).toBe(2);
  expect(server.tunnel.stats()).toMatchObject({ inbound: { received: 2, sent: 2 }, sends: 1 });
  const text = JSON.stringify(before);
  clientApp.send(CLIENT, "later");
  scene.wire.inject({ address: "10.0.9.1", port: 1 }, { address: CLIENT, port: 5000 }, Uint8Array.of(1));
  await scene.clock.settle();
  expect(JSON.stringify(before)).toBe(text);
  expect(client.tunnel.stats().outbound).toMatchObject({ received: 4, dropped: { "wrong source": 1 } });
  await scene.end();
});

test("failed authentications are counted by reason, and a snapshot of them does not change", async () => {
  const scene = new Scene();
  const { tunnel } = await scene.server({ secret: "known-to-both-ends" });
  const { stream } = await scene.connect("10.0.9.1");
  const before = tunnel.stats();
  stream.write(Uint8Array.of(0, 1, 7));
  await scene.clock.settle();
  expect(before.authFailures["no handshake"]).toBe(0);
  expect(tunnel.stats()).toMatchObject({
    rejectedConnections: 1,
    authFailures: { "no handshake": 1, "invalid proof": 0 },
  });
  await scene.end();
});

describe("the state", () => {
  test("of client and server changes from the start to the close", async () => {
    const scene = new Scene();
    const client = await scene.client();
    await scene.clock.settle();
    expect(client.tunnel.stats().state).toBe("connecting");
    const server = await scene.server();
    expect(server.tunnel.stats().state).toBe("listening");
    await scene.clock.advance(1000);
    expect([client.tunnel.stats().state, server.tunnel.stats().state]).toEqual(["connected", "connected"]);
    void client.tunnel.close();
    expect(client.tunnel.stats().state).toBe("closing");
    await scene.end();
    expect(client.tunnel.stats()).toMatchObject({ state: "closed", streams: [] });
  });

  test("in per-source mode is listening without a source, and connecting while the server is silent", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.client({ perSource: true });
    expect(tunnel.stats().state).toBe("listening");
    scene.wire.inject({ address: "10.0.9.1", port: 1 }, { address: CLIENT, port: 5000 }, Uint8Array.of(1));
    await scene.clock.advance(50);
    expect(tunnel.stats()).toMatchObject({ state: "connecting", sessions: 1, queueBytes: 3 });
    await scene.server({ perSource: true });
    await scene.clock.advance(6000);
    expect(tunnel.stats()).toMatchObject({ state: "connected", sessions: 1, queueBytes: 0 });
    await scene.end();
  });
});

test("retransmissions add up over streams and never fall, after FIN and after a reset", async () => {
  const scene = new Scene();
  let now = 3;
  scene.wire.streamFaults = { ...scene.wire.streamFaults, gauge: () => gauge(now) };
  const { client } = await scene.pair();
  const retransmits = () => client.tunnel.stats().retransmits;
  expect(client.tunnel.stats().streams[0]).toMatchObject({ rttMs: 12, minRttMs: 8, retransmits: 3 });
  scene.stream[1].shutdown(); // the kernel still reports its figures
  now = 5;
  await scene.clock.settle();
  expect(retransmits()).toBe(5);
  now = 2;
  await scene.clock.advance(5000);
  expect(retransmits()).toBe(7);
  scene.stream[0].faults.gauge = () => undefined as never; // the kernel has no figures of it any more
  scene.stream[0].fail("ECONNRESET");
  expect(retransmits()).toBe(7);
  await scene.end();
});

test("drops in the kernel are known, also after the socket is closed", async () => {
  const scene = new Scene();
  const { tunnel } = await scene.server();
  scene.udp(SERVER).faults.kernelDrops = 4;
  expect(tunnel.stats().kernelDrops).toBe(4);
  await scene.end();
  expect(tunnel.stats().kernelDrops).toBe(4);
});

test("drops in the kernel at a session's socket stay counted after the session", async () => {
  const scene = new Scene();
  const { tunnel } = await scene.server({ perSource: true, idleTimeoutMs: 1000 });
  const { stream } = await scene.connect("10.0.9.1");
  stream.write(Uint8Array.of(0, 1, 7));
  await scene.clock.settle();
  for (const port of scene.wire.datagramPorts.values()) port.faults.kernelDrops = 2;
  expect(tunnel.stats()).toMatchObject({ kernelDrops: 2, sessions: 1 });
  await scene.clock.advance(5000);
  expect(tunnel.stats()).toMatchObject({ kernelDrops: 2, sessions: 0 });
  await scene.end();
});

test("sum() adds the known numbers", () => {
  expect([sum(), sum(undefined), sum(1, undefined, 2)]).toEqual([undefined, undefined, 3]);
});
