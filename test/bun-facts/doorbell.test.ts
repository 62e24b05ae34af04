/** What `src/net/linux/doorbell.ts` counts on: how Bun reports a UDP socket that it cannot read. */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { DatagramReader } from "../../src/net/linux/datagram-reader.ts";
import { DOORBELL_CODE, Doorbell } from "../../src/net/linux/doorbell.ts";
import { fdOf } from "../net/linux/adopt.ts";
import { libc, noLibc } from "../net/linux/open-libc.ts";
import { until } from "../support/until.ts";

const HOST = "127.0.0.1";
const openFiles = () => readdirSync("/proc/self/fd").length;
const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick++) await Bun.sleep(1);
};

/** A socket with a doorbell that is installed in Bun's first `drain`. */
async function withDoorbell(onRing: () => void = () => {}) {
  const told = { order: [] as string[], codes: [] as string[], data: [] as string[] };
  const drained = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: HOST,
    socket: {
      data: (_socket, payload) => {
        told.order.push("data");
        told.data.push(payload.toString());
      },
      drain() {
        told.order.push("drain");
        doorbell.install();
        drained.resolve();
      },
      error: (...all: unknown[]) => {
        told.order.push("error");
        told.codes.push((all[0] as { code: string }).code);
        onRing();
      },
    },
  });
  const doorbell = Doorbell.create(libc, fdOf(socket)) as Doorbell;
  return { socket, doorbell, told, drained: drained.promise };
}

describe.skipIf(noLibc)("a UDP socket with a file in its place that is no socket", () => {
  test("what is there before the first drain, Bun reads itself, and then comes the drain", async () => {
    const { socket, doorbell, told, drained } = await withDoorbell();
    socket.send("early", socket.port, HOST);
    await drained;
    expect(told.order).toEqual(["data", "drain"]);
    doorbell.remove();
    socket.close();
  });

  test("is reported with one error a tick while there is something to read, and then no more", async () => {
    const { socket, doorbell, told, drained } = await withDoorbell();
    await drained;
    await ticks(20);
    expect(told.codes).toEqual([]); // nor does the loop spin on room to send
    const sender = await Bun.udpSocket({ hostname: HOST });
    for (const text of ["one", "two"]) sender.send(text, socket.port, HOST);
    await until("three reports", () => told.codes.length >= 3);
    expect(new Set(told.codes)).toEqual(new Set([DOORBELL_CODE]));
    expect(new DatagramReader(libc).read(doorbell.fd, 64)).toBe(2);
    const reported = told.codes.length;
    await ticks(20);
    expect(told.codes.length - reported).toBeLessThanOrEqual(1);
    expect(told.data).toEqual([]);
    doorbell.remove();
    for (const open of [socket, sender]) open.close();
  });

  test("removed, Bun reads what had been left; closed, no descriptor stays and nothing is reported", async () => {
    const filesBefore = openFiles();
    const { socket, doorbell, told, drained } = await withDoorbell();
    await drained;
    const sender = await Bun.udpSocket({ hostname: HOST });
    sender.send("left", socket.port, HOST);
    await until("a report", () => told.codes.length > 0);
    doorbell.remove();
    await until("the datagram", () => told.data.length === 1);
    expect(doorbell.fd).toBe(fdOf(socket));
    for (const open of [socket, sender]) open.close();
    const { length } = told.order;
    await ticks(5);
    expect(told.order).toHaveLength(length);
    expect(openFiles()).toBe(filesBefore);
  });
});

describe.skipIf(noLibc)("without a descriptor to spare", () => {
  test("there is no doorbell, or it is not installed, and Bun goes on reading", async () => {
    const socket = await Bun.udpSocket({ hostname: HOST });
    const filesBefore = openFiles();
    expect(Doorbell.create({ ...libc, fcntl: () => -1 }, fdOf(socket))).toBeUndefined();
    const doorbell = Doorbell.create({ ...libc, eventfd: () => -1 }, fdOf(socket));
    expect([doorbell?.install(), doorbell?.installed]).toEqual([false, false]);
    doorbell?.remove();
    expect(openFiles()).toBe(filesBefore);
    socket.close();
  });
});
