/**
 * Behaviour of Bun's TCP sockets that the tunnel relies on. If red after a Bun upgrade: review the code that
 * relies on it.
 */

import { expect, test } from "bun:test";
import { fdOf } from "../../src/net/bun/stream-port.ts";
import { fill, withPair } from "./tcp-pair.ts";

test("a socket and a listener have their descriptor as fd", () =>
  withPair((client, server) => {
    expect(fdOf(client.socket)).toBeGreaterThan(2);
    expect(fdOf(server.socket)).toBeGreaterThan(2);
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    expect(fdOf(listener)).toBeGreaterThan(2);
    listener.stop(true);
  }));

test("write takes 0 to all bytes, stores none of the rest, and returns -1 when the socket is closed", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    const taken = fill(client.socket);
    expect(client.socket.write(new Uint8Array(1000), 0, 1000)).toBe(0);
    server.socket.resume();
    while (server.received < taken) await new Promise(setImmediate);
    expect(server.received).toBe(taken);
    client.socket.terminate();
    expect(client.socket.write(new Uint8Array(1), 0, 1)).toBe(-1);
  }));

test("write with an offset and no length throws", () =>
  withPair((client) => {
    expect(() => client.socket.write(new Uint8Array(10), 1)).toThrow(RangeError);
    expect(client.socket.write(new Uint8Array(10), 1, 9)).toBe(9);
  }));

test("drain is called when there is room again", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    fill(client.socket);
    client.events.length = 0;
    server.socket.resume();
    await client.until("drain");
    expect(client.socket.write(new Uint8Array(1), 0, 1)).toBe(1);
  }));

test("a peer's FIN calls end, without close, and later writes still arrive", () =>
  withPair(async (client, server) => {
    client.socket.shutdown();
    await server.until("end");
    expect(server.socket.write("later")).toBe(5);
    await client.until("data");
    expect(client.received).toBe(5);
    expect(server.events.filter((event) => event.startsWith("close"))).toEqual([]);
  }));

test("allowHalfOpen within the handlers is ignored", async () => {
  const closed = Promise.withResolvers<void>();
  const handlers = { allowHalfOpen: true, data() {}, close: () => closed.resolve() };
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: handlers });
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port,
    allowHalfOpen: true,
    socket: { data() {} },
  });
  client.shutdown();
  await closed.promise;
  client.terminate();
  listener.stop(true);
});

test("a peer's reset calls close with ECONNRESET, and neither end nor error", () =>
  withPair(async (client, server) => {
    client.socket.terminate();
    await server.until("close ECONNRESET");
    expect(server.events.filter((event) => event !== "drain")).toEqual(["open", "close ECONNRESET"]);
  }));

test("a paused socket delivers no data and no FIN until it resumes", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    client.socket.write("hello");
    client.socket.shutdown();
    // These bytes in the other direction arrive later than the first ones.
    server.socket.write("marker");
    await client.until("data");
    await new Promise(setImmediate);
    expect(server.events.filter((event) => event !== "drain")).toEqual(["open"]);
    server.socket.resume();
    await server.until("end");
    expect(server.events.filter((event) => event !== "drain")).toEqual(["open", "data", "end"]);
  }));

test("a paused socket reports a reset at once", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    client.socket.terminate();
    await server.until("close ECONNRESET");
  }));

test("terminate calls close before it returns", () =>
  withPair((client) => {
    client.socket.terminate();
    expect(client.events.at(-1)).toBe("close undefined");
  }));

test("shutdown loses no bytes that write took, even if the peer continues to send", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    const taken = fill(client.socket);
    client.socket.pause();
    server.socket.write("never read");
    client.socket.shutdown();
    server.socket.resume();
    await server.until("end");
    expect(server.received).toBe(taken);
  }));

test("end loses bytes that write took if data of the peer is unread", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    client.socket.pause();
    const taken = fill(client.socket);
    server.socket.write("never read");
    client.socket.end();
    server.socket.resume();
    await server.until("close ECONNRESET");
    expect(server.received).toBeLessThan(taken);
  }));

test("each chunk is a new copy", async () => {
  const chunks: Uint8Array[] = [];
  const second = Promise.withResolvers<void>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, chunk) {
        if (chunks.push(chunk) === 2) second.resolve();
        socket.write("next");
      },
    },
  });
  const socket = { data: (client: Bun.Socket) => void client.write("two") };
  const client = await Bun.connect({ hostname: "127.0.0.1", port: listener.port, socket });
  client.write("one");
  await second.promise;
  expect(chunks.map((chunk) => `${chunk}`)).toEqual(["one", "two"]);
  expect(new Set(chunks.map((chunk) => chunk.buffer)).size).toBe(2);
  client.terminate();
  listener.stop(true);
});
