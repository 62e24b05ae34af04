/** Facts for `src/net/linux/direct-receive.ts`: how Linux merges datagrams (UDP_GRO, udp(7)). */

import { expect, test } from "bun:test";
import { fdOf } from "../../src/net/bun/stream-port.ts";
import { MSG_PEEK, SOL_UDP, UDP_GRO } from "../../src/net/linux/constants.ts";
import { DatagramReader } from "../../src/net/linux/datagram-reader.ts";
import { kernelDrops, setNumber } from "../../src/net/linux/socket-options.ts";
import { DatagramBatch } from "../../src/net/udp/datagram-batch.ts";
import { libc, noLibc } from "../net/linux/open-libc.ts";
import { PLATFORMS } from "../support/system-sockets.ts";

const HOST = "127.0.0.1";
const [, linux] = PLATFORMS.find(([name]) => name === "Linux") ?? [];

/** A socket that Bun does not read, because the test never lets the event loop continue. */
async function openPair() {
  const [socket, source] = await Promise.all([1, 2].map(() => Bun.udpSocket({ hostname: HOST })));
  if (linux === undefined || socket === undefined || source === undefined) throw new Error("not on Linux");
  const fd = fdOf(socket);
  const transmitter = linux.transmitter(
    { fd: fdOf(source) },
    { address: HOST, port: (socket as Bun.udp.Socket<"buffer">).port },
    4,
  );
  const reader = new DatagramReader(libc);
  return {
    reader,
    merge: (on: boolean) => expect(setNumber(libc, fd, SOL_UDP, UDP_GRO, on ? 1 : 0)).toBeUndefined(),
    /** Sends datagrams of these lengths in one call, with segment offload. */
    send(...lengths: number[]) {
      const batch = DatagramBatch.take();
      for (const length of lengths) batch.add(new Uint8Array(new ArrayBuffer(length)), 0, length);
      expect(transmitter.transmit(batch)).toBe(lengths.length);
      DatagramBatch.giveBack(batch);
    },
    /** The length of each slot that is queued, and the reported length of its datagrams. */
    read(max = 32, flags = 0): [bytes: number, segmentBytes: number][] {
      const slots = reader.read(fd, max, flags);
      if (typeof slots === "string") return [];
      return Array.from({ length: slots }, (_, slot) => [reader.length(slot), reader.segmentBytes(slot)]);
    },
    isEmpty: () => reader.isEmpty(fd),
    drops: () => kernelDrops(libc, fd),
    close: () => void [socket, source].map((open) => open.close()),
  };
}

test.skipIf(noLibc)("with UDP_GRO, datagrams that were sent in one message are read as one", async () => {
  const { merge, send, read, isEmpty, close } = await openPair();
  merge(true);
  expect(isEmpty()).toBe(true);
  send(1000, 1000, 400, 0, 1200, 1200, 7);
  expect(isEmpty()).toBe(false);
  expect(read()).toEqual([
    [2400, 1000],
    [0, 0],
    [2407, 1200],
  ]);
  send(...new Array(64).fill(1000));
  expect(read()).toEqual([[64_000, 1000]]);
  expect([isEmpty(), read()]).toEqual([true, []]);
  close();
});

test.skipIf(noLibc)("datagrams queued before UDP_GRO, and after it is off, are separate", async () => {
  const { merge, send, read, close } = await openPair();
  send(1000, 1000);
  merge(true);
  send(900, 900);
  expect(read()).toEqual([
    [1000, 0],
    [1000, 0],
    [1800, 900],
  ]);
  merge(false);
  send(800, 800);
  expect(read()).toEqual([
    [800, 0],
    [800, 0],
  ]);
  close();
});

// Therefore a socket must be empty when Bun reads it again.
test.skipIf(noLibc)(
  "when UDP_GRO is off, merged datagrams in the queue have no reported length",
  async () => {
    const { merge, send, read, isEmpty, close } = await openPair();
    merge(true);
    send(1000, 1000);
    merge(false);
    expect([read(1, MSG_PEEK), isEmpty()]).toEqual([[[2000, 0]], false]);
    merge(true);
    expect(read()).toEqual([[2000, 1000]]);
    close();
  },
);

test.skipIf(noLibc)("merged datagrams that do not fit the buffer count as one drop", async () => {
  const { merge, send, read, drops, close } = await openPair();
  merge(true);
  for (let count = 0; count < 30; count++) send(...new Array(64).fill(1000));
  const slots = read().length;
  expect(slots).toBeLessThan(30);
  expect(drops()).toBe(30 - slots);
  close();
});
