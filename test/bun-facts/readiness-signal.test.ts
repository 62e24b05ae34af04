/** Facts for `src/net/linux/readiness-signal.ts`: how Bun reports a UDP socket that it cannot read. */

import { describe, expect, test } from "bun:test";
import { fdOf } from "../../src/net/bun/stream-port.ts";
import { DatagramReader } from "../../src/net/linux/datagram-reader.ts";
import { READINESS_CODE, ReadinessSignal } from "../../src/net/linux/readiness-signal.ts";
import { libc, noLibc } from "../net/linux/open-libc.ts";
import { openFiles } from "../support/process-figures.ts";
import { until } from "../support/until.ts";

const HOST = "127.0.0.1";
const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick++) await Bun.sleep(1);
};

/** A socket with a readiness signal that is installed in Bun's first `drain`. */
async function withSignal() {
  const log = { order: [] as string[], codes: [] as string[], data: [] as string[] };
  const drained = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: HOST,
    socket: {
      data: (_socket, payload) => {
        log.order.push("data");
        log.data.push(payload.toString());
      },
      drain() {
        log.order.push("drain");
        signal.install();
        drained.resolve();
      },
      error: (...all: unknown[]) => {
        log.order.push("error");
        log.codes.push((all[0] as { code: string }).code);
      },
    },
  });
  const signal = ReadinessSignal.create(libc, fdOf(socket)) as ReadinessSignal;
  return { socket, signal, log, drained: drained.promise };
}

describe.skipIf(noLibc)("a UDP socket whose descriptor is replaced by a file that is not a socket", () => {
  test("Bun reads datagrams that arrive before its first drain, and then calls drain", async () => {
    const { socket, signal, log, drained } = await withSignal();
    socket.send("early", socket.port, HOST);
    await drained;
    expect(log.order).toEqual(["data", "drain"]);
    signal.remove();
    socket.close();
  });

  test("Bun reports one error per tick while datagrams are unread, and then none", async () => {
    const { socket, signal, log, drained } = await withSignal();
    await drained;
    await ticks(20);
    expect(log.codes).toEqual([]); // and the loop does not spin because the file is writable
    const sender = await Bun.udpSocket({ hostname: HOST });
    for (const text of ["one", "two"]) sender.send(text, socket.port, HOST);
    await until("three reports", () => log.codes.length >= 3);
    expect(new Set(log.codes)).toEqual(new Set([READINESS_CODE]));
    expect(new DatagramReader(libc).read(signal.fd, 64)).toBe(2);
    const reported = log.codes.length;
    await ticks(20);
    expect(log.codes.length - reported).toBeLessThanOrEqual(1);
    expect(log.data).toEqual([]);
    signal.remove();
    for (const open of [socket, sender]) open.close();
  });

  test("after remove Bun reads the unread datagrams, and after close nothing is left open", async () => {
    const filesBefore = openFiles();
    const { socket, signal, log, drained } = await withSignal();
    await drained;
    const sender = await Bun.udpSocket({ hostname: HOST });
    sender.send("left", socket.port, HOST);
    await until("a report", () => log.codes.length > 0);
    signal.remove();
    await until("the datagram", () => log.data.length === 1);
    expect(signal.fd).toBe(fdOf(socket));
    for (const open of [socket, sender]) open.close();
    const { length } = log.order;
    await ticks(5);
    expect(log.order).toHaveLength(length);
    expect(openFiles()).toBe(filesBefore);
  });
});

describe.skipIf(noLibc)("without a free descriptor", () => {
  test("a signal is not created or not installed, and Bun continues to read", async () => {
    const socket = await Bun.udpSocket({ hostname: HOST });
    const filesBefore = openFiles();
    expect(ReadinessSignal.create({ ...libc, fcntl: () => -1 }, fdOf(socket))).toBeUndefined();
    const signal = ReadinessSignal.create({ ...libc, eventfd: () => -1 }, fdOf(socket));
    expect([signal?.install(), signal?.installed]).toEqual([false, false]);
    signal?.remove();
    expect(openFiles()).toBe(filesBefore);
    socket.close();
  });
});
