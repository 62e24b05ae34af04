import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import type { Libc } from "../../../src/net/linux/libc.ts";
import { OffloadScratch } from "../../../src/net/linux/offload-scratch.ts";
import { OffloadTransmitter } from "../../../src/net/linux/segment-offload.ts";
import { encodeSockaddr } from "../../../src/net/linux/sockaddr.ts";
import { setReceiveBuffer, setSendBuffer } from "../../../src/net/linux/socket-options.ts";
import { BATCH_DATAGRAMS_MAX, DatagramBatch } from "../../../src/net/udp/datagram-batch.ts";
import { libc, noLibc } from "./open-libc.ts";

/** A receiver; `take` returns the received datagrams when `count` of them have arrived. */
async function receiver(hostname: string) {
  let arrived: string[] = [];
  let wake = () => {};
  const socket = await Bun.udpSocket({
    hostname,
    socket: {
      data(_, payload) {
        arrived.push(`${payload.length} ${Bun.hash(payload)}`);
        wake();
      },
    },
  });
  const bufferBytes = setReceiveBuffer(libc, fdOf(socket), 8 << 20) ?? 0;
  const take = async (count: number) => {
    while (arrived.length < count) await new Promise<void>((resolve) => (wake = resolve));
    const taken = arrived;
    arrived = [];
    return taken;
  };
  return { socket, take, bufferBytes };
}

/** Puts datagrams into chunks like a decoder: behind headers, several per chunk or one. */
function batchOf(lengths: number[], datagramsPerChunk: number, chunkOffset: number): DatagramBatch {
  const batch = new DatagramBatch();
  for (let from = 0; from < lengths.length; from += datagramsPerChunk) {
    const inChunk = lengths.slice(from, from + datagramsPerChunk);
    const total = inChunk.reduce((sum, length) => sum + length + 2, 0);
    const chunk = new Uint8Array(new ArrayBuffer(total + chunkOffset), chunkOffset, total);
    for (let at = 0; at < total; at += 4) chunk[at] = Math.imul(from + at, 0x9e3779b1) >>> 24;
    let start = 0;
    for (const length of inChunk) {
      batch.add(chunk, start + 2, length);
      start += 2 + length;
    }
  }
  return batch;
}

/** The first lengths that fit the receiver's buffer together, with the kernel's overhead for each. */
function fitting(lengths: number[], bufferBytes: number): number[] {
  let bytes = 0;
  const end = lengths.findIndex((length) => {
    bytes += length + 1500;
    return bytes > bufferBytes;
  });
  return end < 0 ? lengths : lengths.slice(0, end);
}

const length = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 1500 }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 172, 1200) },
  { weight: 1, arbitrary: fc.constantFrom(1472, 9000, 32_753, 32_754, 65_506, 65_507) },
);
const run = fc
  .tuple(length, fc.integer({ min: 1, max: 70 }), fc.boolean())
  .map(([of, times, shorterLast]) => {
    // Few long datagrams, so that many runs fit the receiver's buffer.
    const lengths: number[] = Array(of > 1500 ? Math.min(times, 3) : times).fill(of);
    return shorterLast && of > 0 ? [...lengths, of - 1] : lengths;
  });
const lengthsOf = fc.array(run, { minLength: 1, maxLength: 6 }).map((runs) => runs.flat());

/** The C library, with a count of the messages that sendmmsg has sent. */
function countingLibc() {
  const counted = { messages: 0 };
  const sendmmsg: Libc["sendmmsg"] = (...call) => {
    const sent = libc.sendmmsg(...call);
    counted.messages += Math.max(0, sent);
    return sent;
  };
  return { counted, libc: { ...libc, sendmmsg } };
}

describe.skipIf(noLibc)("segment offload delivers the same datagrams as plain sending", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::", "127.0.0.1"],
  ] as const)("from %s to %s", async (from, address) => {
    const { socket: sink, take, bufferBytes } = await receiver(address);
    const source = await Bun.udpSocket({ hostname: from });
    setSendBuffer(libc, fdOf(source), 8 << 20);
    const to = encodeSockaddr(libc, { address, port: sink.port }, from.includes(":") ? 6 : 4);
    if (typeof to === "string") throw new Error(to);
    const target = { socket: { fd: fdOf(source) }, to };
    const counting = countingLibc();
    const transmitter = new OffloadTransmitter(counting.libc, new OffloadScratch(libc), target, () => 0);
    const plain = await Bun.udpSocket({ hostname: address });

    await fc.assert(
      fc.asyncProperty(
        lengthsOf,
        fc.integer({ min: 1, max: 50 }),
        fc.nat({ max: 9 }),
        async (lengths, perChunk, offset) => {
          const batch = batchOf(fitting(lengths, bufferBytes), perChunk, offset);
          for (let index = 0; index < batch.count; index++) plain.send(batch.view(index), sink.port, address);
          const expected = await take(batch.count);
          expect(transmitter.transmit(batch)).toBe(batch.count);
          expect(await take(batch.count)).toEqual(expected);
          expect(transmitter.refusal).toBe("");
        },
      ),
      { numRuns: 40 },
    );
    expect(counting.counted.messages).toBeGreaterThan(transmitter.systemCalls);
    for (const socket of [sink, source, plain]) socket.close();
  });

  test("65,527 bytes are sent as one plain IPv6 datagram, and a whole batch with one call", async () => {
    const { socket: sink, take, bufferBytes } = await receiver("::1");
    // Without CAP_NET_ADMIN the buffer is small, and only a part of a batch fits.
    const whole = fitting(Array(BATCH_DATAGRAMS_MAX).fill(100), bufferBytes);
    const source = await Bun.udpSocket({ hostname: "::1" });
    setSendBuffer(libc, fdOf(source), 8 << 20);
    const to = encodeSockaddr(libc, { address: "::1", port: sink.port }, 6);
    if (typeof to === "string") throw new Error(to);
    const target = { socket: { fd: fdOf(source) }, to };
    const counting = countingLibc();
    const transmitter = new OffloadTransmitter(counting.libc, new OffloadScratch(libc), target, () => 0);
    expect(transmitter.transmit(batchOf([65_527], 1, 0))).toBe(1);
    expect((await take(1))[0]).toStartWith("65527 ");
    expect(transmitter.transmit(batchOf(whole, 50, 0))).toBe(whole.length);
    expect(await take(whole.length)).toHaveLength(whole.length);
    expect([counting.counted.messages, transmitter.systemCalls]).toEqual([
      1 + Math.ceil(whole.length / 64),
      2,
    ]);
    expect(transmitter.transmit(batchOf([5, 65_528], 1, 0))).toBe(1);
    expect(transmitter.refusal).toBe("EMSGSIZE");
    for (const socket of [sink, source]) socket.close();
  });
});
