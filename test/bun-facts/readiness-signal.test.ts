/** Facts for `src/net/linux/readiness-signal.ts`: how Bun reports a UDP socket that it cannot read. */

import { describe, expect, test } from "bun:test";
import { fdOf } from "../../src/net/bun/stream-port.ts";
import { DatagramReader } from "../../src/net/linux/datagram-reader.ts";
import { READINESS_CODE, ReadinessSignal } from "../../src/net/linux/readiness-signal.ts";
import { setReceiveErrors } from "../../src/net/linux/socket-options.ts";
import { libc, noLibc } from "../net/linux/open-libc.ts";
import { freeUdpPort } from "../support/loopback.ts";
import { openFiles } from "../support/process-figures.ts";
import { PLATFORMS } from "../support/system-sockets.ts";
import { until } from "../support/until.ts";

const HOST = "127.0.0.1";
const [, linux] = PLATFORMS.find(([name]) => name === "Linux") ?? [];
const anyFd = () => true;
const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick++) await Bun.sleep(1);
};

interface Hooks {
  data?: (count: number) => void;
  drain?: () => void;
  error?: () => void;
}

/** A socket with a readiness signal, and a log of Bun's calls in order. */
async function withSignal(hooks: Hooks) {
  const log = { order: [] as string[], codes: [] as string[], data: [] as string[] };
  const drained = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: HOST,
    socket: {
      data: (_socket, payload) => {
        log.order.push("data");
        log.data.push(payload.toString());
        hooks.data?.(log.data.length);
      },
      drain() {
        log.order.push("drain");
        hooks.drain?.();
        drained.resolve();
      },
      error: (...all: unknown[]) => {
        log.order.push("error");
        log.codes.push((all[0] as { code: string }).code);
        hooks.error?.();
      },
    },
  });
  const signal = new ReadinessSignal(libc, fdOf(socket));
  const close = () => {
    signal.remove();
    socket.close();
  };
  return { socket, signal, log, drained: drained.promise, close };
}

/** A socket whose signal is installed in Bun's first `drain`. */
async function withInstalledSignal() {
  let install = () => {};
  const opened = await withSignal({ drain: () => install() });
  install = () => void opened.signal.install(anyFd);
  await opened.drained;
  return opened;
}

describe.skipIf(noLibc)("a UDP socket whose descriptor is replaced by a file that is not a socket", () => {
  test("Bun reads datagrams that arrive before its first drain, and then calls drain", async () => {
    const { socket, log, drained, close } = await withSignal({});
    socket.send("early", socket.port, HOST);
    await drained;
    expect(log.order).toEqual(["data", "drain"]);
    close();
  });

  test("Bun reports one error per tick while datagrams are unread, and then none", async () => {
    const { socket, signal, log, close } = await withInstalledSignal();
    await ticks(20);
    expect(log.codes).toEqual([]); // and the loop does not spin because the file is writable
    const sender = await Bun.udpSocket({ hostname: HOST });
    for (const text of ["one", "two"]) sender.send(text, socket.port, HOST);
    await until("three reports", () => log.codes.length >= 3);
    expect(new Set(log.codes)).toEqual(new Set([READINESS_CODE]));
    expect(new DatagramReader(libc).read(signal.fd, 32)).toBe(2);
    const reported = log.codes.length;
    await ticks(20);
    expect(log.codes.length - reported).toBeLessThanOrEqual(1);
    expect(log.data).toEqual([]);
    close();
    sender.close();
  });

  test("installed in data, it ends Bun's receive loop, which first delivers what it has read", async () => {
    let install = () => {};
    const { socket, signal, log, drained, close } = await withSignal({
      data: (count) => count === 3 && install(),
    });
    await drained;
    install = () => void signal.install(anyFd);
    const sender = await Bun.udpSocket({ hostname: HOST });
    const texts = Array.from({ length: 30 }, (_, count) => `${count}`);
    for (const text of texts) sender.send(text, socket.port, HOST);
    await until("a report", () => log.codes.length > 0);
    expect(log.data).toEqual(texts.slice(0, 8)); // Bun reads eight at once
    expect(log.order.slice(1, 10)).toEqual([...new Array(8).fill("data"), "error"]);
    const reader = new DatagramReader(libc);
    expect(reader.read(signal.fd, 32)).toBe(22);
    expect(new TextDecoder().decode(reader.payload(0, 0, reader.length(0)))).toBe("8");
    close();
    sender.close();
  });

  test("installed in data before the first drain, and removed in error, it ends the loop, and drain follows", async () => {
    const opened = await withSignal({
      data: (count) => count === 1 && opened.signal.install(anyFd),
      error: () => opened.signal.remove(),
    });
    const { socket, log, drained, close } = opened;
    for (let count = 0; count < 30; count++) socket.send(`${count}`, socket.port, HOST);
    await drained;
    expect(log.order).toEqual([...new Array(8).fill("data"), "error", "drain"]);
    await until("the rest", () => log.data.length === 30);
    expect(log.data).toEqual(Array.from({ length: 30 }, (_, count) => `${count}`));
    const before = process.cpuUsage();
    await Bun.sleep(200); // the measured interval
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(60_000); // a spinning loop would use all of it
    close();
  });

  test("Bun reports ICMP errors in the same way until they are read from the error queue", async () => {
    const { socket, signal, log, close } = await withInstalledSignal();
    expect(setReceiveErrors(libc, signal.fd, true)).toBeUndefined();
    const refusing = await freeUdpPort();
    linux?.transmitter(signal, { address: HOST, port: refusing }, 4).sendOne(new Uint8Array(1));
    await until("three reports", () => log.codes.length >= 3);
    expect(new Set(log.codes)).toEqual(new Set([READINESS_CODE]));
    const reader = new DatagramReader(libc);
    expect(reader.read(signal.fd, 32)).toBe("ECONNREFUSED");
    expect(reader.readErrors(signal.fd)).toEqual(["ECONNREFUSED"]);
    const reported = log.codes.length;
    await ticks(20);
    expect(log.codes.length - reported).toBeLessThanOrEqual(1);
    expect(socket.closed).toBe(false);
    close();
  });

  test("after remove Bun reads the unread datagrams, and after close nothing is left open", async () => {
    const filesBefore = openFiles();
    const { socket, signal, log } = await withInstalledSignal();
    const sender = await Bun.udpSocket({ hostname: HOST });
    for (const round of [1, 2]) {
      signal.install(anyFd);
      const reports = log.codes.length;
      sender.send("left", socket.port, HOST);
      await until("a report", () => log.codes.length > reports);
      signal.remove();
      await until("the datagram", () => log.data.length === round);
      expect(signal.fd).toBe(fdOf(socket));
    }
    for (const open of [socket, sender]) open.close();
    const { length } = log.order;
    await ticks(5);
    expect(log.order).toHaveLength(length);
    expect(openFiles()).toBe(filesBefore);
  });
});

describe.skipIf(noLibc)("without a free descriptor", () => {
  test("a signal is not installed, and Bun continues to read", async () => {
    const socket = await Bun.udpSocket({ hostname: HOST });
    const filesBefore = openFiles();
    for (const call of ["eventfd", "fcntl", "none"]) {
      const signal = new ReadinessSignal({ ...libc, [call]: () => -1 }, fdOf(socket));
      expect([signal.install(() => false), signal.installed, signal.fd]).toEqual([
        false,
        false,
        fdOf(socket),
      ]);
      signal.remove();
    }
    expect(openFiles()).toBe(filesBefore);
    socket.close();
  });
});
