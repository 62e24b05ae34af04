/**
 * The memory of the messages for sendmmsg(2), on 64-bit machines:
 *
 *     mmsghdr, one per message     see message-header.ts
 *     iovec, one per datagram      see message-header.ts
 *     cmsghdr, one per message     24 bytes: 0 cmsg_len, 8 cmsg_level, 12 cmsg_type, 16 segment length;
 *                                  then, if given, a second one with the local address to send from
 *                                  (local-address-table.ts)
 *
 * Payloads are not copied: an iovec points to each. Fields that never change are written once.
 */

import { BATCH_DATAGRAMS_MAX, DatagramBatch } from "../udp/datagram-batch.ts";
import { SOL_UDP, UDP_SEGMENT } from "./constants.ts";
import { type Libc, type Memory, memory } from "./libc.ts";
import { type LinuxLocalAddress, LOCAL_CONTROL_BYTES_MAX } from "./local-address-table.ts";
import {
  CONTROL,
  CONTROL_LENGTH,
  HEADER_BYTES,
  HEADER_WORDS,
  IOVEC_BYTES,
  IOVEC_COUNT,
  IOVEC_LENGTH,
  IOVEC_WORDS,
  IOVECS,
  NAME,
  NAME_LENGTH,
  putAddress,
} from "./message-header.ts";
import { groupEnd } from "./segment-groups.ts";

const SEGMENT_BYTES = 24; // CMSG_SPACE(sizeof(uint16_t))
const SEGMENT_LENGTH = 18; // CMSG_LEN(sizeof(uint16_t))
/** All control messages of one message. */
const CONTROL_BYTES = SEGMENT_BYTES + LOCAL_CONTROL_BYTES_MAX;

/** The destination of the messages. */
export interface MessageName {
  /** The reference keeps the memory alive: the garbage collector does not see the address. */
  readonly sockaddr: Memory;
  /** The address of `sockaddr`. */
  readonly address: number;
}

/**
 * Scratch memory for all transmitters of a tunnel, 144 kB. Each call writes its messages again; the kernel
 * has read them when the call returns.
 */
export class OffloadScratch {
  /** Why segment offload is permanently off: an errno name or a phrase. Undefined while it is on. */
  offReason: string | undefined;
  /** Called when an error switches segment offload off. */
  onOff: () => void = () => {};
  /** The batch for a datagram that is sent alone. */
  readonly single = new DatagramBatch();
  /** The messages that {@link layOut} wrote, 64 bytes each. */
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
  /** The index of the first datagram of each message. After the last message comes the end of the batch. */
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
   * Writes the messages for the datagrams from index `from` to the end of the batch, as few as possible.
   *
   * @param plainFromBytes datagrams of at least this many bytes get one message each, without a segment
   * length.
   * @param local the local address to send from.
   * @returns the number of messages.
   * @throws RangeError when a datagram is not inside its array: the kernel would send foreign memory.
   */
  layOut(
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
      const at = messages * HEADER_WORDS;
      putAddress(this.#words, at + NAME, name.address);
      this.#words[at + NAME_LENGTH] = nameBytes;
      putAddress(this.#words, at + IOVECS, this.#iovecsAddress + first * IOVEC_BYTES);
      this.#words[at + IOVEC_COUNT] = end - first;
      this.#control(messages, end - first > 1 ? length : undefined, local?.control);
      this.#firsts[messages] = first;
      first = end;
    }
    this.#firsts[messages] = count;
    this.#pointIovecs(batch, from);
    return messages;
  }

  /** The index of the first datagram of a message. For the number of messages it is the end of the batch. */
  firstOf(message: number): number {
    return this.#firsts[message] as number;
  }

  /** Whether the kernel splits this message into segments. */
  isGroup(message: number): boolean {
    return this.firstOf(message + 1) - this.firstOf(message) > 1;
  }

  /**
   * Writes the control messages of a message. @param segment the length of its datagrams when it is a group.
   */
  #control(message: number, segment: number | undefined, local: Uint32Array | undefined): void {
    const at = message * CONTROL_BYTES;
    const header = message * HEADER_WORDS;
    const skipped = segment === undefined ? SEGMENT_BYTES : 0;
    if (segment !== undefined) this.#segments[at / 2 + 8] = segment;
    if (local !== undefined) this.#controlWords.set(local, (at + SEGMENT_BYTES) / 4);
    putAddress(this.#words, header + CONTROL, this.#controlsAddress + at + skipped);
    this.#words[header + CONTROL_LENGTH] = SEGMENT_BYTES - skipped + (local?.byteLength ?? 0);
  }

  /** Makes an iovec point to each payload. */
  #pointIovecs({ bytes, starts, lengths, count }: DatagramBatch, from: number): void {
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
        // The address of the buffer, not of the array: see libc.ts. The batch keeps both alive.
        holderAddress = this.#libc.addressOf(payloadHolder.buffer) + payloadHolder.byteOffset;
      }
      putAddress(this.#iovecWords, index * IOVEC_WORDS, length === 0 ? 0 : holderAddress + start);
      this.#iovecWords[index * IOVEC_WORDS + IOVEC_LENGTH] = length;
    }
  }
}
