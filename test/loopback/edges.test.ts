import { afterEach, expect, test } from "bun:test";
import { encodeFrame, FrameDecoder } from "../../src/framing/index.ts";
import {
  type ServerOptions,
  startClient,
  startServer,
  type Tunnel,
  type TunnelEvent,
} from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { APP_HOST, connectRaw, freeUdpPort, TUNNEL_HOST, UdpApp, writeAll } from "../support/loopback.ts";
import { frames } from "../support/text.ts";
import { dropsAt } from "../support/udp-sockets.ts";
import { until } from "../support/until.ts";

const started: Tunnel[] = [];

afterEach(async () => {
  const tunnels = started.splice(0);
  expectConserved(...tunnels);
  await Promise.all(tunnels.map((tunnel) => tunnel.close()));
  expectConserved(...tunnels);
  expect(tunnels.map(({ held }) => held)).toEqual(tunnels.map(() => ({ outbound: 0, inbound: 0 })));
});

/** A server on a free TCP port. Its target is APP_HOST at a free UDP port. */
async function server(options: Partial<ServerOptions> = {}) {
  const udp = await freeUdpPort();
  const warnings: TunnelEvent[] = [];
  const given = { listen: `${TUNNEL_HOST}/0`, target: `${APP_HOST}/${udp}`, bind: TUNNEL_HOST, ...options };
  const onEvent = (event: TunnelEvent, level: string) => {
    if (level === "warning") warnings.push(event);
  };
  const tunnel = await startServer(given, { onEvent });
  started.push(tunnel);
  return { tunnel, udp, tcp: tunnel.tcp[0]?.port ?? 0, warnings };
}

/** Server and client, each with a program. */
async function pair() {
  const there = await server();
  const udp = await freeUdpPort();
  const connect = `${TUNNEL_HOST}/${there.tcp}`;
  const tunnel = await startClient({ connect, target: `${APP_HOST}/${udp}`, bind: TUNNEL_HOST });
  started.push(tunnel);
  const apps = { there: await UdpApp.open(there.udp), here: await UdpApp.open(udp) };
  apps.here.send("first");
  await apps.there.receives("first");
  return { there: there.tunnel, here: tunnel, apps };
}

function close(apps: Record<string, UdpApp>): void {
  for (const app of Object.values(apps)) app[Symbol.dispose]();
}

function decoded(chunks: readonly Uint8Array[]): Uint8Array[] {
  const decoder = new FrameDecoder();
  const payloads: Uint8Array[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    while (decoder.next()) payloads.push(decoder.bytes.slice(decoder.start, decoder.start + decoder.length));
  }
  return payloads;
}

test("datagrams of 0 and 65,507 bytes cross in both directions", async () => {
  const { apps } = await pair();
  const large = new Uint8Array(65_507).map((_, index) => index * 7);
  for (const [from, to] of [
    [apps.here, apps.there],
    [apps.there, apps.here],
  ] as const) {
    const before = to.received.length;
    for (const payload of [new Uint8Array(0), large, new Uint8Array(0)]) from.send(payload);
    await until("all three", () => to.received.length === before + 3);
    expect(to.received.slice(before)).toEqual([new Uint8Array(0), large, new Uint8Array(0)]);
  }
  close(apps);
});

test("refusals of a missing target are counted; when it starts, the next datagram arrives", async () => {
  const { tunnel, udp, tcp, warnings } = await server();
  using peer = await connectRaw(tcp);
  for (let count = 1; count <= 12; count++) {
    peer.socket.write(encodeFrame(new Uint8Array(3)));
    await until("the refusal", () => tunnel.counters.refusals >= count);
  }
  expect(warnings.map(({ type }) => type)).toEqual(["target refused"]);
  using app = await UdpApp.open(udp);
  peer.socket.write(frames("welcome back"));
  await app.receives("welcome back");
  expect(tunnel.counters.inbound.sent).toBe(13);
});

test("frames too long for UDP are dropped, and the stream continues", async () => {
  const { tunnel, udp, tcp } = await server();
  using app = await UdpApp.open(udp);
  using peer = await connectRaw(tcp);
  for (const bytes of [65_508, 65_535, 65_507])
    await writeAll(peer.socket, encodeFrame(new Uint8Array(bytes)));
  await until("the one that fits", () => app.received.length === 1);
  expect(app.received[0]?.length).toBe(65_507);
  expect(tunnel.counters.inbound.dropped["too long"]).toBe(2);
});

test("TCP segments of one byte give the same datagrams", async () => {
  const { udp, tcp } = await server();
  using app = await UdpApp.open(udp);
  using peer = await connectRaw(tcp);
  const texts = ["a", "", "longer than one byte", "z"];
  for (const byte of frames(...texts)) {
    peer.socket.write(Uint8Array.of(byte)); // TCP_NODELAY is on: each write is a segment
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await app.receives("z");
  expect(app.texts).toEqual(texts);
});

test("a peer that stops reading costs the oldest datagrams, and framing stays intact", async () => {
  const queueBytesMax = 128 * 1024;
  const { tunnel, udp, tcp } = await server({ queueBytesMax, maxDelayMs: 0 });
  using app = await UdpApp.open(udp);
  using peer = await connectRaw(tcp);
  await until("the connection", () => tunnel.counters.connects === 1);
  peer.socket.pause();
  const { outbound } = tunnel.counters;
  let number = 0;
  const numbered = () => {
    const payload = new Uint8Array(8000).fill(number);
    new DataView(payload.buffer).setUint32(0, number++);
    return payload;
  };
  await until("the queue to overflow", () => {
    for (let count = 0; count < 8; count++) app.send(numbered());
    return outbound.droppedTotal > 50;
  });
  await until("the last to be received", () => outbound.received + dropsAt(TUNNEL_HOST, udp) === number);
  expectConserved(tunnel);
  expect(tunnel.held.outbound * 8002).toBeLessThan(queueBytesMax + 8002);
  peer.socket.resume();
  await until("the queue to run dry", () => tunnel.held.outbound === 0);
  app.send(numbered());
  const last = number - 1;
  const numbers = () => decoded(peer.read).map((payload) => new DataView(payload.buffer).getUint32(0));
  await until("the last one", () => numbers().at(-1) === last);
  const payloads = decoded(peer.read);
  expect(payloads.every((payload) => payload.length === 8000 && payload.at(-1) === payload.at(4))).toBe(true);
  expect(numbers()).toEqual(numbers().toSorted((a, b) => a - b));
  expect(payloads).toHaveLength(outbound.sent);
});

test("garbage on the TCP port is relayed as far as it parses, and the tunnel still works", async () => {
  const { tunnel, udp, tcp } = await server({ maxDelayMs: 0 });
  using app = await UdpApp.open(udp);
  let state = 42;
  for (let count = 0; count < 3; count++) {
    using peer = await connectRaw(tcp);
    const garbage = new Uint8Array(1_000_000).map(() => {
      state = (state * 1103515245 + 12345) >>> 0;
      return state >>> 16;
    });
    await writeAll(peer.socket, garbage);
    peer.socket.shutdown();
    await until("our FIN", () => peer.state.closed); // Bun emits no `end` after its own FIN
  }
  const { received, sent, dropped } = tunnel.counters.inbound;
  expect(received).toBeGreaterThan(30);
  expect(received).toBe(sent + dropped["too long"] + dropped["stream lost"]);
  expect(tunnel.held.inbound).toBe(0);
  app.received.length = 0;
  using peer = await connectRaw(tcp);
  peer.socket.write(frames("still here"));
  await app.receives("still here");
});

test("a connection that is reset before it is accepted does no harm", async () => {
  const { tunnel, udp, tcp } = await server();
  using app = await UdpApp.open(udp);
  const script = `
    const [port] = process.argv.slice(-1).map(Number);
    for (let count = 0; count < 20; count++)
      await Bun.connect({
        hostname: "${TUNNEL_HOST}",
        port,
        socket: { open: (socket) => socket.terminate(), data() {} },
      });
  `;
  // spawnSync blocks this thread, so that nothing is accepted meanwhile.
  const child = Bun.spawnSync([process.execPath, "-e", script, `${tcp}`]);
  expect(child.exitCode).toBe(0);
  using peer = await connectRaw(tcp);
  peer.socket.write(frames("alive"));
  await app.receives("alive");
  expect(tunnel.counters.inbound.sent).toBe(1);
});

test("both ends on one host with the same UDP address: the loop is dropped, with one warning", async () => {
  const there = await server({ target: `${TUNNEL_HOST}/${await freeUdpPort()}`, bind: TUNNEL_HOST });
  const udp = there.tunnel.udp[0]?.port ?? 0;
  const warnings: TunnelEvent[] = [];
  const here = await startClient(
    { connect: `${TUNNEL_HOST}/${there.tcp}`, target: `${TUNNEL_HOST}/${udp}`, bind: TUNNEL_HOST },
    { onEvent: (event, level) => void (level === "warning" && warnings.push(event)) },
  );
  started.push(here);
  await until("the connection", () => there.tunnel.counters.connects === 1);
  using app = await UdpApp.open(0, TUNNEL_HOST);
  app.send("looped", udp);
  const loops = () => [there.tunnel, here].map(({ counters }) => counters.outbound.dropped.loop);
  await until("the loop", () => loops().some((count) => count > 0));
  app.send("again", udp);
  await until("the second loop", () => loops().some((count) => count > 1));
  const received = [there.tunnel, here].map(({ counters }) => counters.outbound.received);
  // The system delivers all to one socket: two datagrams, and each once more.
  expect(received.toSorted()).toEqual([0, 4]);
  expect([...warnings, ...there.warnings].map(({ type }) => type)).toEqual(["loop detected"]);
});

test("probes from the peer's address change nothing; a connection with a frame replaces it", async () => {
  const { tunnel, udp, tcp } = await server();
  using app = await UdpApp.open(udp);
  using peer = await connectRaw(tcp);
  await until("the peer", () => tunnel.counters.connects === 1);
  for (let probes = 1; probes <= 5; probes++) {
    const probe = await connectRaw(tcp);
    probe.socket.shutdown();
    await until("the end of the probe", () => tunnel.counters.rejectedConnections === probes);
  }
  app.send("to the peer");
  await until("a datagram", () => decoded(peer.read).length === 1);
  using restarted = await connectRaw(tcp);
  const bytes = frames("one", "two");
  restarted.socket.write(bytes, 0, 3);
  await until("the rest to be written", () => restarted.socket.write(bytes, 3, bytes.length - 3) > 0);
  await app.receives("one");
  await app.receives("two");
  app.send("to the new connection");
  await until("a datagram", () => decoded(restarted.read).length === 1);
  expect([tunnel.counters.connects, decoded(peer.read).length]).toEqual([2, 1]);
});

test("a client that is closed as soon as it is connected sends FIN, not a reset", async () => {
  const events: string[] = [];
  using listener = Bun.listen({
    hostname: TUNNEL_HOST,
    port: 0,
    socket: {
      data() {},
      end: () => void events.push("FIN"),
      close: (_socket, error) => void events.push(error === undefined ? "closed" : "reset"),
    },
  });
  const target = `${APP_HOST}/${await freeUdpPort()}`;
  const client = await startClient({ connect: `${TUNNEL_HOST}/${listener.port}`, target, bind: TUNNEL_HOST });
  client.on("connected", () => client.close());
  client.on("disconnected", ({ reason }) => events.push(reason));
  await client.closed;
  await until("the end", () => events.length === 3);
  expect(events).toEqual(["closing", "FIN", "closed"]);
});
