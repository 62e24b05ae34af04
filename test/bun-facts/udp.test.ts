/**
 * Behaviour of Bun's UDP sockets that the tunnel relies on. If red after a Bun upgrade: review the code that
 * relies on it.
 */

import { describe, expect, test } from "bun:test";
import { fdOf } from "../../src/net/bun/stream-port.ts";
import { IPPROTO_IPV6, SOL_SOCKET } from "../../src/net/linux/constants.ts";
import { getNumber, setReceiveErrors } from "../../src/net/linux/socket-options.ts";
import { libc, noLibc } from "../net/linux/open-libc.ts";

const LOOPBACK = "127.0.0.1";

function open(socket: object, options: object = {}): Promise<Bun.udp.Socket<"buffer">> {
  return Bun.udpSocket({ hostname: LOOPBACK, ...options, socket } as Bun.udp.SocketOptions<"buffer">);
}

/** A port without a socket: it was open a moment ago. */
async function closedPort(): Promise<number> {
  const socket = await open({});
  const { port } = socket;
  socket.close();
  return port;
}

test("the first argument of the error handler is the error, not the socket as in the types", async () => {
  const seen = Promise.withResolvers<unknown[]>();
  const socket = await open({
    data() {
      throw new Error("thrown in data");
    },
    error: (...all: unknown[]) => seen.resolve(all),
  });
  socket.send("x", socket.port, LOOPBACK);
  expect(`${(await seen.promise)[0]}`).toBe("Error: thrown in data");
  socket.close();
});

test("fd is the descriptor, and -1 once closed", async () => {
  const socket = await open({});
  expect(fdOf(socket)).toBeGreaterThan(2);
  socket.close();
  expect(fdOf(socket)).toBe(-1);
});

test.skipIf(noLibc)(
  "flags: 16 is SO_REUSEADDR, 4 is SO_REUSEPORT, 8 is IPV6_V6ONLY; none is set without",
  async () => {
    const [SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY] = [2, 15, 26];
    const of = async (flags: number) => {
      const socket = await open({}, { hostname: "::", flags });
      const fd = fdOf(socket);
      const read = [
        getNumber(libc, fd, SOL_SOCKET, SO_REUSEADDR),
        getNumber(libc, fd, SOL_SOCKET, SO_REUSEPORT),
        getNumber(libc, fd, IPPROTO_IPV6, IPV6_V6ONLY),
      ];
      socket.close();
      return read;
    };
    expect(await of(0)).toEqual([0, 0, 0]);
    expect(await of(16)).toEqual([1, 0, 0]);
    expect(await of(4)).toEqual([0, 1, 0]);
    expect(await of(8)).toEqual([0, 0, 1]);
    expect(await of(24)).toEqual([1, 0, 1]);
  },
);

test("each datagram is a new copy at offset 0, and an empty one is delivered", async () => {
  const arrived: Buffer[] = [];
  const third = Promise.withResolvers<void>();
  const socket = await open({
    data: (_: unknown, payload: Buffer) => void (arrived.push(payload) === 3 && third.resolve()),
  });
  for (const text of ["one", "", "three"]) socket.send(text, socket.port, LOOPBACK);
  await third.promise;
  expect(arrived.map(String)).toEqual(["one", "", "three"]);
  for (const payload of arrived) {
    expect([payload.byteOffset, payload.buffer.byteLength]).toEqual([0, payload.length]);
  }
  expect(new Set(arrived.map((payload) => payload.buffer)).size).toBe(3);
  socket.close();
});

test("drain is called once after creation", async () => {
  let drains = 0;
  const first = Promise.withResolvers<void>();
  const socket = await open({
    drain() {
      drains++;
      first.resolve();
    },
  });
  await first.promise;
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(drains).toBe(1);
  socket.close();
});

test("sendMany stops at a datagram that the kernel refuses, and returns its index, no error", async () => {
  const socket = await open({ error() {} });
  const [ok, tooLong] = ["ok", new Uint8Array(65_508)];
  const to = [socket.port, LOOPBACK];
  expect(socket.sendMany([ok, ...to, ok, ...to, tooLong, ...to, ok, ...to])).toBe(2);
  expect(() => socket.sendMany([tooLong, ...to, ok, ...to])).toThrow("EMSGSIZE");
  socket.close();
});

test("setMulticastTTL(0) throws", async () => {
  const socket = await open({});
  expect(() => socket.setMulticastTTL(0)).toThrow("EINVAL");
  expect(socket.setMulticastTTL(1)).toBe(1);
  socket.close();
});

describe("a datagram to a closed port", () => {
  test("makes the next send throw, whatever its target, and calls the error handler as well", async () => {
    const reported = Promise.withResolvers<{ code: string; errqueue: boolean }>();
    const socket = await open({ error: reported.resolve });
    socket.send("x", await closedPort(), LOOPBACK);
    expect(() => socket.send("x", socket.port, LOOPBACK)).toThrow("ECONNREFUSED");
    expect(await reported.promise).toMatchObject({ code: "ECONNREFUSED", errqueue: true });
    socket.close();
  });

  test.skipIf(noLibc)("has no effect on others once IP_RECVERR is cleared", async () => {
    const arrived = Promise.withResolvers<void>();
    const errors: unknown[] = [];
    const socket = await open({
      data: () => arrived.resolve(),
      error: (error: unknown) => errors.push(error),
    });
    expect(setReceiveErrors(libc, fdOf(socket), false)).toBeUndefined();
    socket.send("x", await closedPort(), LOOPBACK);
    expect(socket.send("x", socket.port, LOOPBACK)).toBe(true);
    await arrived.promise;
    expect(errors).toEqual([]);
    socket.close();
  });
});
