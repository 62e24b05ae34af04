/** What Bun's TCP sockets do, as far as the tunnel counts on it. Red after a change of Bun: read the fact's users. */

import { expect, test } from "bun:test";
import { fdOf } from "../net/linux/adopt.ts";
import { fill, withPair } from "./tcp-pair.ts";

test("a socket and a listener show their descriptor as fd", () =>
  withPair((client, server) => {
    expect(fdOf(client.socket)).toBeGreaterThan(2);
    expect(fdOf(server.socket)).toBeGreaterThan(2);
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    expect(fdOf(listener)).toBeGreaterThan(2);
    listener.stop(true);
  }));

test("write takes 0 to all bytes, keeps none of the rest, and says -1 when the socket is gone", () =>
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

test("drain comes when there is room again", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    fill(client.socket);
    client.events.length = 0;
    server.socket.resume();
    await client.until("drain");
    expect(client.socket.write(new Uint8Array(1), 0, 1)).toBe(1);
  }));

test("a peer's FIN is end, without close, and later writes still arrive", () =>
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

test("a peer's reset is close with ECONNRESET and neither end nor error", () =>
  withPair(async (client, server) => {
    client.socket.terminate();
    await server.until("close ECONNRESET");
    expect(server.events.filter((event) => event !== "drain")).toEqual(["open", "close ECONNRESET"]);
  }));

test("a paused socket delivers nothing, a FIN neither, until it resumes", () =>
  withPair(async (client, server) => {
    server.socket.pause();
    client.socket.write("hello");
    client.socket.shutdown();
    // The other direction's bytes come later than these could have come.
    server.socket.write("marker");
    await client.until("data");
    await new Promise(setImmediate);
    expect(server.events.filter((event) => event !== "drain")).toEqual(["open"]);
    server.socket.resume();
    await server.until("end");
    expect(server.events.filter((event) => event !== "drain")).toEqual(["open", "data", "end"]);
  }));

test("a paused socket learns of a reset at once", () =>
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

test("shutdown loses nothing that was taken, though the peer sends on", () =>
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

test("end loses what was taken when something of the peer's is unread", () =>
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

test("a chunk is a copy of its own", async () => {
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
