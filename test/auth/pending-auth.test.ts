/** Connections to a server with a secret, on a network in memory. */

import { describe, expect, test } from "bun:test";
import { App, CLIENT, Scene, SERVER, SERVER_APP } from "../support/memory-tunnels.ts";
import { frames } from "../support/text.ts";
import { authenticate, connect, OTHER, other, responseTo, secret } from "./raw-clients.ts";

describe("a server with a secret", () => {
  test("sends nothing more after a failure, and closes the connection when it is 10 s old", async () => {
    const scene = new Scene();
    const { tunnel, events } = await scene.server({ secret });
    const app = new App(scene.wire, SERVER_APP);
    const cases = {
      nothing: () => new Uint8Array(),
      "a part of the response": (challenge: Uint8Array) => responseTo(challenge).subarray(0, 71),
      frames: () => frames("let me in"),
      "another secret": (challenge: Uint8Array) => responseTo(challenge, other),
      "the challenge itself": (challenge: Uint8Array) => challenge,
      "another version": () => Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0, 9),
    };
    const all = [];
    for (const make of Object.values(cases)) {
      const { stream, observed, challenge } = await connect(scene, CLIENT);
      const bytes = make(challenge) as Uint8Array;
      stream.write(bytes);
      if (bytes.length > 0) stream.write(frames("and this"));
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
    stream.write(frames("let me in"));
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
    expect(served.observed.chunks.at(-1)).toEqual(frames("still here"));
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
