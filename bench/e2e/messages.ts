/** Arrays of `struct mmsghdr` (recvmmsg(2), sendmmsg(2)) in memory that does not move. */

import { SOL_UDP, UDP_SEGMENT } from "../../src/net/linux/constants.ts";
import { type Libc, type Memory, memory } from "../../src/net/linux/libc.ts";

/** Bytes of one `struct mmsghdr` on a 64-bit machine: a 56-byte msghdr, a 32-bit length and padding. */
const MESSAGE_BYTES = 64;
const NAME = 0;
const NAME_BYTES = 8;
const IOV = 16;
const IOV_COUNT = 24;
const CONTROL = 32;
const CONTROL_BYTES = 40;
const LENGTH = 56;
const IOVEC_BYTES = 16;
/** Room for a sockaddr_in6 a message. */
const SOCKADDR_BYTES = 32;
/** CMSG_SPACE of a 16-bit value (cmsg(3)): a 16-byte header, the value and padding. */
const SEGMENT_CONTROL_BYTES = 24;
const SEGMENT_CMSG_LEN = 18;

/** Messages of one buffer each. */
export class Messages {
  /** The address of the array. */
  readonly address: number;
  readonly #headers: Memory;
  readonly #view: DataView;
  readonly #iovecs: DataView;
  readonly #names: Memory;
  readonly #control: Memory;
  readonly #controlAt: number;

  /**
   * @param segmentBytes if not 0, a message may contain several datagrams of this size (udp(7), UDP_SEGMENT).
   */
  constructor(libc: Libc, count: number, segmentBytes = 0) {
    this.#headers = memory(count * MESSAGE_BYTES);
    this.#view = new DataView(this.#headers.buffer);
    this.address = libc.addressOf(this.#headers.buffer);
    const iovecs = memory(count * IOVEC_BYTES);
    this.#iovecs = new DataView(iovecs.buffer);
    const iovecsAt = libc.addressOf(iovecs.buffer);
    this.#names = memory(count * SOCKADDR_BYTES);
    this.#control = segmentControl(segmentBytes);
    this.#controlAt = segmentBytes === 0 ? 0 : libc.addressOf(this.#control.buffer);
    for (let index = 0; index < count; index++) {
      this.#set(index, IOV, iovecsAt + index * IOVEC_BYTES);
      this.#set(index, IOV_COUNT, 1);
    }
  }

  /**
   * Makes message `index` point to memory, to which the caller keeps a reference. `segments`: it has several
   * datagrams.
   */
  point(index: number, address: number, bytes: number, segments = false): void {
    setWord(this.#iovecs, index * IOVEC_BYTES, address);
    setWord(this.#iovecs, index * IOVEC_BYTES + 8, bytes);
    this.#set(index, CONTROL, segments ? this.#controlAt : 0);
    this.#set(index, CONTROL_BYTES, segments ? SEGMENT_CONTROL_BYTES : 0);
  }

  /** The bytes of the received datagram in message `index`. */
  length(index: number): number {
    return this.#view.getUint32(index * MESSAGE_BYTES + LENGTH, true);
  }

  /** Makes every message store its source address. {@link point} keeps it, so that a reply is sent there. */
  keepNames(libc: Libc, count: number): void {
    const at = libc.addressOf(this.#names.buffer);
    for (let index = 0; index < count; index++) {
      this.#set(index, NAME, at + index * SOCKADDR_BYTES);
      this.#view.setUint32(index * MESSAGE_BYTES + NAME_BYTES, SOCKADDR_BYTES, true);
    }
  }

  #set(index: number, field: number, value: number): void {
    setWord(this.#view, index * MESSAGE_BYTES + field, value);
  }
}

/** Writes a 64-bit integer below 2^53. A BigInt would be garbage for each datagram. */
function setWord(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, value / 2 ** 32, true);
}

function segmentControl(segmentBytes: number): Memory {
  const control = memory(SEGMENT_CONTROL_BYTES);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(SEGMENT_CMSG_LEN), true);
  view.setInt32(8, SOL_UDP, true);
  view.setInt32(12, UDP_SEGMENT, true);
  view.setUint16(16, segmentBytes, true);
  return control;
}
