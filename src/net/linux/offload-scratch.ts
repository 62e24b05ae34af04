/**
 * The memory in which sendmmsg(2) finds its messages, on 64-bit machines:
 *
 *     struct mmsghdr (64 bytes, one a message)      0 msg_name  8 msg_namelen  16 msg_iov  24 msg_iovlen
 *                                                  32 msg_control  40 msg_controllen  48 msg_flags  56 msg_len
 *     struct iovec (16 bytes, one a datagram)       0 iov_base  8 iov_len
 *     struct cmsghdr (24 bytes, one a message)      0 cmsg_len  8 cmsg_level  12 cmsg_type  16 the segment length
 *     and after it one with the local address that the message leaves from, if that is given (local-address-table.ts)
 *
 * Payloads stay where they are: an iovec points at each. What never changes is written once.
 */

import { BATCH_DATAGRAMS_MAX, DatagramBatch } from "../udp/datagram-batch.ts";
import { SOL_UDP, UDP_SEGMENT } from "./constants.ts";
import { type Libc, type Memory, memory } from "./libc.ts";
import { type LinuxLocalAddress, LOCAL_CONTROL_BYTES_MAX } from "./local-address-table.ts";
import { groupEnd } from "./segment-groups.ts";

const HEADER_BYTES = 64;
const IOVEC_BYTES = 16;
const SEGMENT_BYTES = 24; // CMSG_SPACE(sizeof(uint16_t))
const SEGMENT_LENGTH = 18; // CMSG_LEN(sizeof(uint16_t))
/** All control messages of one message. */
const CONTROL_BYTES = SEGMENT_BYTES + LOCAL_CONTROL_BYTES_MAX;

// Places in a struct mmsghdr, in 32-bit words.
const NAME = 0;
const NAME_BYTES = 2;
const IOVECS = 4;
const IOVEC_COUNT = 6;
const CONTROL = 8;
const CONTROL_SIZE = 10;

/** Where messages go. */
export interface MessageName {
  /** Kept here, not only pointed at: memory known by its address alone would be collected. */
  readonly sockaddr: Memory;
  /** Where `sockaddr` is. */
  readonly address: number;
}

/**
 * Scratch memory for all transmitters of a process: each call lays out its messages anew, and the kernel has read
 * them when it returns. 144 kB.
 */
export class OffloadScratch {
  /** Why segment offload is off for good, an errno name; undefined while it is in use. */
  offReason: string | undefined;
  /** Called when it is switched off while in use. */
  onOff: () => void = () => {};
  /** For a datagram that is sent alone. */
  readonly single = new DatagramBatch();
  /** The messages {@link lay} wrote, one every 64 bytes. */
  readonly messages: Memory = memory(BATCH_DATAGRAMS_MAX * HEADER_BYTES);

  readonly #libc: Libc;
  readonly #words = new Uint32Array(this.messages.buffer);
  readonly #iovecs = memory(BATCH_DATAGRAMS_MAX * IOVEC_BYTES);
  readonly #iovecWords = new Uint32Array(this.#iovecs.buffer);
  readonly #controls = memory(BATCH_DATAGRAMS_MAX * CONTROL_BYTES);
  readonly #controlWords = new Uint32Array(this.#controls.buffer);
  readonly #segments = new Uint16Array(this.#controls.buffer);
  readonly #controlsAddress: number;
  readonly #iovecsAddress: number;
  /** The first datagram of each message, and after the last message the batch's end. */
  readonly #firsts = new Int32Array(BATCH_DATAGRAMS_MAX + 1);

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#iovecsAddress = libc.addressOf(this.#iovecs.buffer);
    const controls = new DataView(this.#controls.buffer);
    this.#controlsAddress = libc.addressOf(this.#controls.buffer);
    for (let message = 0; message < BATCH_DATAGRAMS_MAX; message++) {
      const at = message * CONTROL_BYTES;
      controls.setUint32(at, SEGMENT_LENGTH, true);
      controls.setUint32(at + 8, SOL_UDP, true);
      controls.setUint32(at + 12, UDP_SEGMENT, true);
    }
  }

  /**
   * Writes the messages for the datagrams `from` to the end of the batch, as few as can be.
   *
   * @param plainFromBytes datagrams of this many bytes and more go one a message, without a segment header.
   * @param local the local address they leave from.
   * @returns how many messages it wrote.
   * @throws RangeError when a datagram does not lie within its array: the kernel would send foreign memory.
   */
  lay(
    batch: DatagramBatch,
    from: number,
    name: MessageName,
    plainFromBytes: number,
    local?: LinuxLocalAddress,
  ): number {
    const { lengths, count } = batch;
    const nameBytes = name.sockaddr.length;
    let messages = 0;
    for (let first = from; first < count; messages++) {
      const length = lengths[first] as number;
      const end = length >= plainFromBytes ? first + 1 : groupEnd(lengths, first, count);
      const at = messages * (HEADER_BYTES / 4);
      putAddress(this.#words, at + NAME, name.address);
      this.#words[at + NAME_BYTES] = nameBytes;
      putAddress(this.#words, at + IOVECS, this.#iovecsAddress + first * IOVEC_BYTES);
      this.#words[at + IOVEC_COUNT] = end - first;
      this.#control(messages, end - first > 1 ? length : undefined, local?.control);
      this.#firsts[messages] = first;
      first = end;
    }
    this.#firsts[messages] = count;
    this.#point(batch, from);
    return messages;
  }

  /** The first datagram of a message {@link lay} wrote; for the number of messages, the batch's end. */
  firstOf(message: number): number {
    return this.#firsts[message] as number;
  }

  /** Whether the kernel is to cut this message into segments. */
  isGroup(message: number): boolean {
    return this.firstOf(message + 1) - this.firstOf(message) > 1;
  }

  /** Writes a message's control messages. @param segment the length of its datagrams when it is a group. */
  #control(message: number, segment: number | undefined, local: Uint32Array | undefined): void {
    const at = message * CONTROL_BYTES;
    const header = message * (HEADER_BYTES / 4);
    const skipped = segment === undefined ? SEGMENT_BYTES : 0;
    if (segment !== undefined) this.#segments[at / 2 + 8] = segment;
    if (local !== undefined) this.#controlWords.set(local, (at + SEGMENT_BYTES) / 4);
    putAddress(this.#words, header + CONTROL, this.#controlsAddress + at + skipped);
    this.#words[header + CONTROL_SIZE] = SEGMENT_BYTES - skipped + (local?.byteLength ?? 0);
  }

  /** Points an iovec at each payload. */
  #point({ bytes, starts, lengths, count }: DatagramBatch, from: number): void {
    let holder: Uint8Array | undefined;
    let holderAddress = 0;
    for (let index = from; index < count; index++) {
      const start = starts[index] as number;
      const length = lengths[index] as number;
      const payloadHolder = bytes[index] as Uint8Array;
      if (start < 0 || length < 0 || start + length > payloadHolder.length) {
        throw new RangeError(
          `a payload of ${length} bytes at ${start} is not within ${payloadHolder.length}`,
        );
      }
      if (length > 0 && payloadHolder !== holder) {
        holder = payloadHolder;
        // The buffer's address, never the array's: see libc.ts. The batch keeps both alive.
        holderAddress = this.#libc.addressOf(payloadHolder.buffer) + payloadHolder.byteOffset;
      }
      putAddress(this.#iovecWords, index * (IOVEC_BYTES / 4), length === 0 ? 0 : holderAddress + start);
      this.#iovecWords[index * (IOVEC_BYTES / 4) + 2] = length;
    }
  }
}

function putAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address; // modulo 2^32
  words[at + 1] = address / 0x1_0000_0000;
}
