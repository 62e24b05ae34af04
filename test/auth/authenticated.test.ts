/** Authentication by the shared secret, in whole tunnels on a network in memory. */

import { describe, expect, test } from "bun:test";
import { AuthenticatedTransport } from "../../src/auth/authenticated-transport.ts";
import { ClientHandshake, ServerHandshake } from "../../src/auth/handshake.ts";
import { encodeFrame } from "../../src/framing/index.ts";
import type { StreamPort, StreamReceiver } from "../../src/net/stream-port.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import {
  App,
  CLIENT,
  CLIENT_APP,
  Scene,
  SERVER,
  SERVER_APP,
  TCP_PORT,
  utf8,
} from "../support/memory-tunnels.ts";
import { SessionScene } from "../tunnel/session/session-scene.ts";
import { secretOf } from "./secret-of.ts";

const secret = "known-to-both-ends";
const other = "known-to-one-end-only";
const OTHER = "10.0.0.3";

/** The response of a client that knows this secret. */
function responseTo(challenge: Uint8Array, known = secret): Uint8Array {
  const step = new ClientHandshake(secretOf(known), new Uint8Array(32).fill(7), undefined).take(challenge);
  return (step.state === "incomplete" && step.send) || new Uint8Array();
}

/** Opens a raw connection and reads the challenge. */
async function connect(scene: Scene, from: string) {
  const { stream, observed } = await scene.connect(from);
  const [challenge = new Uint8Array()] = observed.chunks.splice(0);
  return { stream, observed, challenge };
}

/** Opens a raw connection and authenticates it. @param after is sent directly after the response. */
async function authenticate(scene: Scene, from: string, after = new Uint8Array()) {
  const { stream, observed, challenge } = await connect(scene, from);
  stream.write(new Uint8Array([...responseTo(challenge), ...after]));
  await scene.clock.settle();
  return { stream, observed };
}

describe("two ends with the same secret", () => {
  test("relay in peer mode, and after a reconnect", async () => {
    const scene = new Scene();
    const { server, clientApp, serverApp, client } = await scene.pair({ secret }, { secret });
    clientApp.send(CLIENT, "there");
    serverApp.send(SERVER, "back");
    await scene.clock.settle();
    scene.stream[0].fail("ECONNRESET");
    scene.stream[1].fail("ECONNRESET");
    await scene.clock.advance(1000);
    clientApp.send(CLIENT, "again");
    await scene.clock.settle();
    expect([serverApp.texts, clientApp.texts]).toEqual([["there", "again"], ["back"]]);
    expect([server.warnings, client.warnings, server.tunnel.counters.connects]).toEqual([[], [], 2]);
    await scene.end();
  });

  test("relay in RTP mode", async () => {
    const scene = new Scene();
    const { serverApp, clientApp } = await scene.pair({ secret, rtp: true }, { secret, rtp: true });
    const [serverRtcp, clientRtcp] = [
      new App(scene.wire, SERVER_APP, 5001),
      new App(scene.wire, "10.0.1.2", 5001),
    ];
    clientApp.send(CLIENT, "rtp");
    clientRtcp.send(CLIENT, "rtcp");
    await scene.clock.settle();
    expect([serverApp.texts, serverRtcp.texts]).toEqual([["rtp"], ["rtcp"]]);
    await scene.end();
  });

  test("relay in per-source mode, with a handshake for each source", async () => {
    const scene = new SessionScene();
    const { server } = await scene.both({ secret }, { secret });
    const sources = Array.from({ length: 100 }, (_, index) => scene.source(6000 + index));
    for (const source of sources) source.send(`from ${source.port}`);
    await scene.clock.settle();
    expect(sources.map(({ answers }) => answers)).toEqual(sources.map(({ port }) => [`re from ${port}`]));
    expect(server.tunnel.counters.rejectedConnections).toBe(0);
    await scene.end();
  });

  test("lose no datagram when TCP delivers one byte at a time", async () => {
    const scene = new Scene();
    scene.wire.streamFaults.chunkBytesMax = 1;
    const { clientApp, serverApp } = await scene.pair({ secret }, { secret });
    clientApp.send(CLIENT, "there");
    serverApp.send(SERVER, "back");
    await scene.clock.settle();
    expect([serverApp.texts, clientApp.texts]).toEqual([["there"], ["back"]]);
    await scene.end();
  });

  test("relay a frame that follows the response directly", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret });
    const app = new App(scene.wire, SERVER_APP);
    const { observed } = await authenticate(scene, CLIENT, encodeFrame(utf8("at once")));
    expect(app.texts).toEqual(["at once"]);
    expect(observed.chunks.map(({ length }) => length)).toEqual([32]);
    expect(tunnel.counters.connects).toBe(1);
    await scene.end();
  });
});

describe("a server with a secret", () => {
  test("sends nothing more after a failure, and closes the connection when it is 10 s old", async () => {
    const scene = new Scene();
    const { tunnel, events } = await scene.server({ secret });
    const app = new App(scene.wire, SERVER_APP);
    const cases = {
      nothing: () => new Uint8Array(),
      "a part of the response": (challenge: Uint8Array) => responseTo(challenge).subarray(0, 71),
      frames: () => encodeFrame(utf8("let me in")),
      "another secret": (challenge: Uint8Array) => responseTo(challenge, other),
      "the challenge itself": (challenge: Uint8Array) => challenge,
      "another version": () => Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0, 9),
    };
    const all = [];
    for (const make of Object.values(cases)) {
      const { stream, observed, challenge } = await connect(scene, CLIENT);
      const bytes = make(challenge) as Uint8Array;
      stream.write(bytes);
      if (bytes.length > 0) stream.write(encodeFrame(utf8("and this")));
      all.push(observed);
    }
    app.send(SERVER, "for the peer");
    await scene.clock.advance(9999);
    expect(all.map(({ closed, chunks }) => [closed, chunks])).toEqual(all.map(() => [false, []]));
    await scene.clock.advance(1);
    expect(all.map(({ closed, code, chunks }) => [closed, code, chunks])).toEqual(
      all.map(() => [true, "ECONNRESET", []]),
    );
    expect(tunnel.counters.authFailures).toEqual({
      timeout: 2,
      "no handshake": 1,
      "invalid proof": 2,
      "unsupported version": 1,
      evicted: 0,
      "closed by peer": 0,
    });
    expect([tunnel.counters.rejectedConnections, tunnel.counters.connects, app.texts]).toEqual([6, 0, []]);
    expect(events.filter(({ type }) => type === "wrong secret")).toHaveLength(2);
    await scene.end();
  });

  test("reads nothing more from a connection that has failed", async () => {
    const scene = new Scene();
    await scene.server({ secret });
    const { stream } = await connect(scene, CLIENT);
    stream.write(encodeFrame(utf8("let me in")));
    await scene.clock.settle();
    const { bufferBytes } = scene.wire.streamFaults;
    expect(stream.write(new Uint8Array(2 * bufferBytes))).toBe(bufferBytes);
    await scene.clock.settle();
    expect(stream.write(new Uint8Array(1))).toBe(0);
    await scene.end();
  });

  test("closes a connection that sends one byte per second after 10 s, too", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret });
    const slow = await connect(scene, CLIENT);
    const response = responseTo(slow.challenge);
    for (let at = 0; at < 10; at++) {
      expect(slow.observed.closed).toBe(false);
      slow.stream.write(response.subarray(at, at + 1));
      await scene.clock.advance(1000);
    }
    expect(slow.observed.closed).toBe(true);
    expect(tunnel.counters.authFailures.timeout).toBe(1);
    await scene.end();
  });

  test("replaces the served connection only by an authenticated one", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret });
    const app = new App(scene.wire, SERVER_APP);
    const served = await authenticate(scene, CLIENT);
    const silent = await connect(scene, CLIENT);
    app.send(SERVER, "still here");
    await scene.clock.advance(10_000);
    expect(served.observed).toMatchObject({ ended: false, closed: false });
    expect(silent.observed.closed).toBe(true);
    expect(served.observed.chunks.at(-1)).toEqual(encodeFrame(utf8("still here")));
    await authenticate(scene, CLIENT);
    expect(served.observed.ended).toBe(true);
    expect(tunnel.counters.connects).toBe(2);
    await scene.end();
  });

  test("keeps the newest 64 pending connections of an address", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret });
    const of = async (from: string) => await connect(scene, from);
    const fromOther = await of(OTHER);
    const many = [];
    for (let count = 0; count < 70; count++) many.push(await of(CLIENT));
    expect(many.map(({ observed }) => observed.closed)).toEqual(many.map((_, index) => index < 6));
    expect(fromOther.observed.closed).toBe(false);
    expect(tunnel.counters.authFailures.evicted).toBe(6);
    await scene.end();
  });

  test("keeps 256 pending connections in total, and counts an IPv6 /64 as one address", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret });
    const of = async (from: string) => await connect(scene, from);
    const neighbours = [];
    for (let host = 1; host <= 65; host++) neighbours.push(await of(`2001:db8::${host}`));
    expect(neighbours.map(({ observed }) => observed.closed)).toEqual(
      neighbours.map((_, index) => index === 0),
    );
    for (let net = 0; net < 192; net++) await of(`2001:db8:1:${net}::1`);
    expect(neighbours[1]?.observed.closed).toBe(false);
    await of("2001:db8:2::1");
    expect(neighbours[1]?.observed.closed).toBe(true);
    expect(tunnel.counters.authFailures.evicted).toBe(2);
    const newest = await of("2001:db8:3::1");
    newest.stream.write(responseTo(newest.challenge));
    await scene.clock.settle();
    expect(tunnel.counters.connects).toBe(1);
    await scene.end();
  });

  test("sends no challenge to an address that is not allowed", async () => {
    const scene = new Scene();
    const { tunnel } = await scene.server({ secret, allow: CLIENT });
    const { observed, challenge } = await connect(scene, OTHER);
    expect([observed.closed, challenge.length, tunnel.counters.rejectedConnections]).toEqual([true, 0, 1]);
    expect((await connect(scene, CLIENT)).challenge.length).toBe(40);
    await scene.end();
  });
});

describe("a client with a secret", () => {
  test.each([
    ["another secret", { secret: other }, /did not accept the secret/],
    ["no secret", {}, /has not asked for the secret: it seems to be configured without one/],
  ])(
    "sends nothing to a server with %s, reports the reason, and dials at growing intervals",
    async (_what, server, reason) => {
      const scene = new Scene();
      const { client, clientApp, serverApp } = await scene.pair(server, { secret });
      clientApp.send(CLIENT, "private");
      await scene.clock.advance(4000);
      expect(client.warnings).toEqual([expect.objectContaining({ type: "dial failed", code: "EAUTH" })]);
      expect(JSON.stringify(client.warnings)).toMatch(reason);
      await scene.clock.advance(60_000);
      expect(serverApp.received).toEqual([]);
      expect(scene.wire.dialled.length).toBeLessThan(15);
      await scene.end();
    },
  );

  test("closes the connection when the server only reflects its proof", async () => {
    const scene = new Scene();
    let closed = false;
    listenRaw(scene, (stream) => {
      stream.write(Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0, 1, ...new Uint8Array(32)));
      return {
        onChunk: (chunk) => void stream.write(chunk.subarray(40)),
        onClose: () => {
          closed = true;
        },
      };
    });
    const { warnings } = await scene.client({ secret });
    await scene.clock.settle();
    expect(warnings).toMatchObject([{ code: "EAUTH", message: expect.stringContaining("did not prove") }]);
    expect(closed).toBe(true);
    await scene.end();
  });

  test("gives up after 4 s when the server sends one byte per second, in either phase", async () => {
    for (const atOnce of [0, 40]) {
      const scene = new Scene();
      const challenge = new ServerHandshake(secretOf(secret), new Uint8Array(32), undefined).challenge;
      let slow: StreamPort | undefined;
      listenRaw(scene, (stream) => {
        slow = stream;
        stream.write(challenge.subarray(0, atOnce));
        return { onChunk() {}, onClose() {} };
      });
      const { warnings } = await scene.client({ secret });
      await scene.clock.settle();
      for (let second = 0; second < 4; second++) {
        expect(warnings).toEqual([]);
        slow?.write(challenge.subarray(second, second + 1));
        await scene.clock.advance(1000);
      }
      expect(warnings).toMatchObject([{ code: "EAUTH" }]);
      await scene.end();
    }
  });

  test("relays a frame that follows the confirmation directly", async () => {
    const scene = new Scene();
    listenRaw(scene, (stream) => {
      const handshake = new ServerHandshake(secretOf(secret), new Uint8Array(32).fill(8), undefined);
      stream.write(handshake.challenge);
      return {
        onChunk: (chunk) => {
          const step = handshake.take(chunk);
          const proof = (step.state === "authenticated" && step.send) || new Uint8Array();
          stream.write(new Uint8Array([...proof, ...encodeFrame(utf8("at once"))]));
        },
        onClose() {},
      };
    });
    await scene.client({ secret });
    const app = new App(scene.wire, CLIENT_APP);
    await scene.clock.settle();
    expect(app.texts).toEqual(["at once"]);
    await scene.end();
  });

  test("closes the connection when the tunnel is closed during the handshake", async () => {
    const scene = new Scene();
    let closed = false;
    listenRaw(scene, () => ({
      onChunk() {},
      onClose: () => {
        closed = true;
      },
    }));
    await scene.client({ secret });
    await scene.clock.settle();
    expect(closed).toBe(false);
    await scene.end();
    expect(closed).toBe(true);
  });

  test("ends with ERR_DIAL if it dials only once", async () => {
    const scene = new Scene();
    await scene.server();
    const { tunnel } = await scene.client({ secret, once: true });
    const closed = tunnel.closed.catch((error) => error);
    await scene.clock.advance(4000);
    expect(await closed).toMatchObject({ code: "ERR_DIAL", message: expect.stringContaining("secret") });
    await scene.end();
  });

  test("a client without a secret relays nothing of the challenge", async () => {
    const scene = new Scene();
    const { client, clientApp } = await scene.pair({ secret }, {});
    await scene.clock.advance(30_000);
    expect([clientApp.received, client.tunnel.counters.inbound.received]).toEqual([[], 0]);
    await scene.end();
  });
});

/** Listens as the server, without a tunnel. */
function listenRaw(
  scene: Scene,
  serve: (stream: StreamPort) => Pick<StreamReceiver, "onChunk" | "onClose">,
): void {
  new MemoryNetwork(scene.wire, SERVER).listen({ port: TCP_PORT }, (stream) => {
    stream.receive({ onDrain() {}, onEnd() {}, ...serve(stream) });
  });
}

test("the transport passes on the underlying streams", async () => {
  const wire = new MemoryWire();
  const transport = (address: string) =>
    new AuthenticatedTransport(new MemoryNetwork(wire, address), {
      clock: wire.clock,
      secret: secretOf(secret),
      onAuthFailed() {},
    });
  const accepted: StreamPort[] = [];
  transport(SERVER).listen({ port: TCP_PORT }, (stream) => accepted.push(stream));
  const dial = transport(CLIENT).dial({ address: SERVER, port: TCP_PORT });
  await wire.clock.settle();
  expect([await dial.stream, accepted[0]]).toEqual([
    wire.streams[0]?.[0],
    wire.streams[0]?.[1],
  ] as StreamPort[]);
  expect(await dial.stream).toBe(wire.streams[0]?.[0] as StreamPort);
  expect(accepted[0]).toBe(wire.streams[0]?.[1] as StreamPort);
  expect(wire.clock.pending).toBe(0);
});

test("a quarter of the open files is for pending connections, and the rest for authenticated ones", () => {
  const plain = new MemoryNetwork(new MemoryWire(), SERVER);
  const limitOf = (limit: number) => {
    plain.descriptorLimit = () => limit;
    const authentication = { clock: plain.clock, secret: secretOf(secret), onAuthFailed() {} };
    return new AuthenticatedTransport(plain, authentication).descriptorLimit();
  };
  expect([64, 1024, 65_536, Infinity].map(limitOf)).toEqual([48, 768, 65_280, Infinity]);
});

test("closing a listener closes only its own pending connections", async () => {
  const wire = new MemoryWire();
  const { clock } = wire;
  const authentication = { clock, secret: secretOf(secret), onAuthFailed() {} };
  const server = new AuthenticatedTransport(new MemoryNetwork(wire, SERVER), authentication);
  const authenticated: number[] = [];
  const listeners = [4000, 4001].map((port) => server.listen({ port }, () => void authenticated.push(port)));
  const connections = [4000, 4001].map((port) => {
    const observed = { chunks: [] as Uint8Array[], closed: false };
    const receiver = {
      onChunk: (chunk: Uint8Array) => void observed.chunks.push(chunk),
      onDrain() {},
      onEnd() {},
      onClose: () => void Object.assign(observed, { closed: true }),
    };
    const { stream } = new MemoryNetwork(wire, CLIENT).dial({ address: SERVER, port });
    void stream.then((connected) => connected.receive(receiver));
    return { observed, stream };
  });
  await clock.settle();
  listeners[0]?.close();
  await clock.settle();
  expect(connections.map(({ observed }) => observed.closed)).toEqual([true, false]);
  const [challenge = new Uint8Array()] = connections[1]?.observed.chunks ?? [];
  (await connections[1]?.stream)?.write(responseTo(challenge));
  await clock.settle();
  expect(authenticated).toEqual([4001]);
  listeners[1]?.close();
  expect(clock.pending).toBe(0);
});
