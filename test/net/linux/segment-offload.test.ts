import { type Pointer, toArrayBuffer } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { AF_INET } from "../../../src/net/linux/constants.ts";
import { type Libc, memory } from "../../../src/net/linux/libc.ts";
import { OffloadScratch } from "../../../src/net/linux/offload-scratch.ts";
import { OffloadTransmitter, PLAIN_MS, probeOffload } from "../../../src/net/linux/segment-offload.ts";
import { DatagramBatch } from "../../../src/net/udp/datagram-batch.ts";
import { libc, noLibc, watchedLibc } from "./open-libc.ts";

/** The result of one scripted sendmmsg: the number of messages it takes, or the error code. */
type Result = number | "all" | (string & {});

const TARGET = { socket: { fd: -1 }, to: memory(16) };

/** A transmitter whose sendmmsg follows a script (then takes all) and records the shape of its messages. */
function scripted(...script: Result[]) {
  const calls: string[] = [];
  let error = "";
  const fake: Libc = {
    ...libc,
    sendmmsg(_fd, messages, count) {
      const view = new DataView(messages.buffer, messages.byteOffset);
      const shape = Array.from({ length: count }, (_, index) => {
        const grouped = view.getUint32(index * 64 + 40, true) > 0;
        return `${grouped ? "group" : "plain"} ${view.getUint32(index * 64 + 24, true)}`;
      });
      calls.push(shape.join(", "));
      const result = script.shift() ?? "all";
      if (result === "all") return count;
      if (typeof result === "number") return result;
      error = result;
      return -1;
    },
    errno: () => error,
  };
  const clock = { nowMs: 1000 };
  const scratch = new OffloadScratch(fake);
  const transmitter = new OffloadTransmitter(fake, scratch, TARGET, () => clock.nowMs);
  return { calls, clock, scratch, transmitter };
}

/** 127.0.0.2, as the control message of struct in_pktinfo (ip(7)). */
const LOCAL = { address: "127.0.0.2", control: new Uint32Array([28, 0, 0, 8, 0, 0x0200007f, 0, 0]) };

function batchOf(...lengths: number[]): DatagramBatch {
  const batch = new DatagramBatch();
  const bytes = new Uint8Array(new ArrayBuffer(Math.max(...lengths)));
  for (const length of lengths) batch.add(bytes, 0, length);
  return batch;
}

describe.skipIf(noLibc)("OffloadTransmitter", () => {
  test("a batch of equal lengths is one message in one call", () => {
    const { calls, transmitter } = scripted();
    expect(transmitter.transmit(batchOf(9, 9, 9, 5))).toBe(4);
    expect(calls).toEqual(["group 4"]);
    expect([transmitter.refusal, transmitter.systemCalls]).toEqual(["", 1]);
  });

  test("sending starts at batch.from", () => {
    const { calls, transmitter } = scripted();
    const batch = batchOf(9, 9, 9, 0, 4);
    batch.from = 2;
    expect(transmitter.transmit(batch)).toBe(3);
    expect(calls).toEqual(["plain 1, plain 1, plain 1"]);
  });

  test("every message carries the local address; a group also carries the segment length", () => {
    const controls: number[][] = [];
    const scratch = new OffloadScratch(libc);
    const [first, ...rest] = [9, 9, 5, 7, 8];
    scratch.layOut(
      batchOf(first as number, ...rest),
      0,
      { sockaddr: TARGET.to, address: 0 },
      Infinity,
      LOCAL,
    );
    const view = new DataView(scratch.messages.buffer);
    for (let message = 0; message < 3; message++) {
      const [at, length] = [
        view.getBigUint64(message * 64 + 32, true),
        view.getUint32(message * 64 + 40, true),
      ];
      controls.push([...new Uint32Array(toArrayBuffer(Number(at) as Pointer, 0, length).slice(0))]);
    }
    const segments = [18, 0, 17, 103, 9, 0];
    const local = [...LOCAL.control];
    expect(controls).toEqual([[...segments, ...local], local, local]);
  });

  test("an empty rest makes no system call", () => {
    const { calls, transmitter } = scripted();
    const batch = batchOf(9);
    batch.from = 1;
    expect(transmitter.transmit(batch)).toBe(0);
    expect(calls).toEqual([]);
  });

  test("a full buffer stops the batch with EAGAIN, and the result is the number of datagrams taken", () => {
    const { calls, transmitter } = scripted(1, "EAGAIN");
    const batch = batchOf(9, 9, 20, 20, 20);
    expect(transmitter.transmit(batch)).toBe(2);
    expect(transmitter.refusal).toBe("EAGAIN");
    expect(calls).toEqual(["group 2, group 3", "group 3"]);
    batch.from = 2;
    expect(transmitter.transmit(batch)).toBe(3);
    expect(transmitter.refusal).toBe("");
    expect(calls).toEqual(["group 2, group 3", "group 3", "group 3"]);
  });

  test("a short count without an error at the next call does not stop the batch", () => {
    const { calls, transmitter } = scripted(1, 1);
    expect(transmitter.transmit(batchOf(1, 2, 3))).toBe(3);
    expect(calls).toEqual(["plain 1, plain 1, plain 1", "plain 1, plain 1", "plain 1"]);
    expect(transmitter.refusal).toBe("");
  });

  test("an interrupted call is repeated", () => {
    const { transmitter } = scripted("EINTR", "EINTR", 1, "EINTR");
    expect(transmitter.transmit(batchOf(1, 2, 3))).toBe(3);
  });

  test.each(["ECONNREFUSED", "EPERM", "ENOBUFS", "EHOSTUNREACH"])(
    "%s stops the batch, and later groups stay groups",
    (error) => {
      const { calls, transmitter } = scripted(error);
      expect(transmitter.transmit(batchOf(9, 9))).toBe(0);
      expect(transmitter.refusal).toBe(error);
      expect(transmitter.transmit(batchOf(9, 9))).toBe(2);
      expect(calls).toEqual(["group 2", "group 2"]);
    },
  );

  test.each(["EINVAL", "EMSGSIZE"])(
    "%s on a group makes this length and longer ones plain for 60 s",
    (error) => {
      const { calls, clock, transmitter } = scripted(1, error);
      expect(transmitter.transmit(batchOf(1, 1, 1400, 1400, 2))).toBe(5);
      expect(calls).toEqual(["group 2, group 3", "group 3", "plain 1, plain 1, plain 1"]);

      calls.length = 0;
      clock.nowMs += PLAIN_MS - 1;
      transmitter.transmit(batchOf(1500, 1500, 1400, 1399, 1399));
      expect(calls).toEqual(["plain 1, plain 1, plain 1, group 2"]);

      calls.length = 0;
      clock.nowMs += 1;
      transmitter.transmit(batchOf(1400, 1400));
      expect(calls).toEqual(["group 2"]);
    },
  );

  test.each(["EINVAL", "EMSGSIZE"])("%s on a plain message stops the batch", (error) => {
    const { transmitter, scratch } = scripted(error, error);
    expect(transmitter.transmit(batchOf(1400, 1400))).toBe(0);
    expect(transmitter.refusal).toBe(error);
    expect(scratch.offReason).toBeUndefined();
  });

  test.each(["EIO", "ENOSYS", "ENOPROTOOPT", "EOPNOTSUPP"])(
    "%s on a group switches offload off for all",
    (error) => {
      const { calls, transmitter, scratch } = scripted(error);
      expect(transmitter.transmit(batchOf(9, 9))).toBe(2);
      expect(calls).toEqual(["group 2", "plain 1, plain 1"]);
      expect(scratch.offReason).toBe(error);
      const other = new OffloadTransmitter(libc, scratch, TARGET, () => 0);
      expect(other.transmit(batchOf(9, 9))).toBe(0);
      expect([other.refusal, other.systemCalls]).toEqual(["EBADF", 1]);
    },
  );

  test("EIO on a plain message stops the batch, and leaves offload on", () => {
    const { transmitter, scratch } = scripted("EIO");
    expect(transmitter.transmit(batchOf(9))).toBe(0);
    expect([transmitter.refusal, scratch.offReason]).toEqual(["EIO", undefined]);
  });

  test.each([
    [-1, 4],
    [0, 11],
    [5, 6],
    [0, -1],
  ])("a payload at %i of %i bytes, outside its array of 10, is never sent", (start, length) => {
    const { calls, transmitter } = scripted();
    const batch = batchOf(5);
    batch.add(new Uint8Array(new ArrayBuffer(20), 5, 10), start, length);
    expect(() => transmitter.transmit(batch)).toThrow(RangeError);
    expect(calls).toEqual([]);
  });
});

describe.skipIf(noLibc)("probeOffload", () => {
  test.each<[string, Partial<Libc>]>([
    ["without 127.0.0.1", { bind: () => -1, errno: () => "EADDRNOTAVAIL" }],
    ["whose firewall blocks all packets", { sendmmsg: () => -1, errno: () => "EPERM" }],
    [
      "where IPv4 sockets are forbidden",
      {
        socket: (domain, ...more) => (domain === AF_INET ? -1 : libc.socket(domain, ...more)),
        errno: () => "EAFNOSUPPORT",
      },
    ],
  ])("works on a host %s", (_, fault) => {
    expect(probeOffload({ ...libc, ...fault })).toBeUndefined();
  });

  test("works on this kernel and leaves no descriptor behind", () => {
    const watched = watchedLibc();
    expect(probeOffload(watched.libc)).toBeUndefined();
    expect(watched.open.size).toBe(0);
  });

  test.each<[string, Partial<Libc>, string]>([
    ["an old kernel", { getsockopt: () => -1, errno: () => "ENOPROTOOPT" }, "ENOPROTOOPT"],
    ["no socket", { socket: () => -1, errno: () => "EMFILE" }, "EMFILE"],
  ])("returns the error of %s", (_, fault, reason) => {
    expect(probeOffload({ ...libc, ...fault })).toBe(reason);
  });
});
