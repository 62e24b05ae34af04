/**
 * The memory into which recvmmsg(2) writes datagrams, and access to them. The parts of a slot:
 *
 *     struct mmsghdr     see message-header.ts; the kernel changes msg_namelen, msg_controllen, msg_len
 *     sockaddr           the source address: sockaddr_in or sockaddr_in6
 *     control messages   the destination address: IP_PKTINFO (ip(7)), IPV6_PKTINFO (ipv6(7));
 *                        the length of merged datagrams: UDP_GRO (udp(7)), an int;
 *                        an ICMP error: IP_RECVERR (ip(7)), IPV6_RECVERR (ipv6(7))
 *     payload            up to 65,535 bytes
 *
 * On a dual-stack socket an IPv4 datagram has both control messages. Only IP_PKTINFO is also right for
 * broadcasts.
 */

import {
  IP_PKTINFO,
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  IPV6_RECVERR,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  MSG_PEEK,
  SOL_UDP,
  UDP_GRO,
} from "./constants.ts";
import { errnoName, type Libc, memory } from "./libc.ts";
import { type LinuxLocalAddress, LocalAddressTable } from "./local-address-table.ts";
import {
  CONTROL,
  CONTROL_DATA,
  CONTROL_LENGTH,
  CONTROL_LEVEL,
  CONTROL_TYPE,
  HEADER_BYTES,
  HEADER_WORDS,
  IOVEC_BYTES,
  IOVEC_COUNT,
  IOVEC_LENGTH,
  IOVEC_WORDS,
  IOVECS,
  MESSAGE_LENGTH,
  NAME,
  NAME_LENGTH,
  putAddress,
} from "./message-header.ts";
import { SOCKADDR_IN6_BYTES } from "./sockaddr.ts";
import { SourceAddresses } from "./source-addresses.ts";

/** At most this many slots are read in one system call. */
export const READ_SLOTS_MAX = 32;

const NAME_WORDS = 8;
/** Room for IP_PKTINFO, IPV6_PKTINFO and UDP_GRO; for IP_RECVERR or IPV6_RECVERR with a source address. */
const CONTROL_BYTES = 128;
const CONTROL_WORDS = CONTROL_BYTES / 4;
/** An odd number of cache lines: with 65,536 bytes all slots would share the same few cache sets. */
const SLOT_BYTES = 65_600;

/**
 * One object serves any number of sockets: its datagrams are handled before the next `read`. It takes 2.1 MB
 * of address space, and the kernel touches little of it.
 */
export class DatagramReader {
  readonly #libc: Libc;
  readonly #messages = memory(READ_SLOTS_MAX * HEADER_BYTES);
  readonly #iovecs = memory(READ_SLOTS_MAX * IOVEC_BYTES);
  readonly #names = memory(READ_SLOTS_MAX * NAME_WORDS * 4);
  readonly #controls = memory(READ_SLOTS_MAX * CONTROL_BYTES);
  readonly #payloads = memory(READ_SLOTS_MAX * SLOT_BYTES);
  readonly #messageWords = new Uint32Array(this.#messages.buffer);
  readonly #nameWords = new Uint32Array(this.#names.buffer);
  readonly #controlWords = new Uint32Array(this.#controls.buffer);
  readonly #locals = new LocalAddressTable();
  readonly #sources: SourceAddresses;
  /** The number of slots that the last call wrote. */
  #written = READ_SLOTS_MAX;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#sources = new SourceAddresses(libc);
    const at = (bytes: Uint8Array<ArrayBuffer>) => libc.addressOf(bytes.buffer);
    const [iovecs, names, controls, payloads] = [
      at(this.#iovecs),
      at(this.#names),
      at(this.#controls),
      at(this.#payloads),
    ];
    const iovecWords = new Uint32Array(this.#iovecs.buffer);
    for (let slot = 0; slot < READ_SLOTS_MAX; slot++) {
      const header = slot * HEADER_WORDS;
      putAddress(this.#messageWords, header + NAME, names + slot * NAME_WORDS * 4);
      putAddress(this.#messageWords, header + IOVECS, iovecs + slot * IOVEC_BYTES);
      this.#messageWords[header + IOVEC_COUNT] = 1;
      putAddress(this.#messageWords, header + CONTROL, controls + slot * CONTROL_BYTES);
      putAddress(iovecWords, slot * IOVEC_WORDS, payloads + slot * SLOT_BYTES);
      iovecWords[slot * IOVEC_WORDS + IOVEC_LENGTH] = SLOT_BYTES;
    }
  }

  /**
   * Reads queued datagrams.
   *
   * @param max 1 to {@link READ_SLOTS_MAX} slots. With UDP_GRO a slot is up to 64 datagrams of one source.
   * @returns the number of slots, or the errno name: EAGAIN when the queue is empty.
   */
  read(fd: number, max: number, flags = 0): number | string {
    this.#resetLengths(this.#written);
    const count = this.#libc.recvmmsg(fd, this.#messages, max, MSG_DONTWAIT | flags, null);
    this.#written = Math.max(1, count); // a failed call may have written the first
    return count < 0 ? this.#libc.errno() : count;
  }

  /** Whether no datagram is queued. */
  isEmpty(fd: number): boolean {
    return this.read(fd, 1, MSG_PEEK) === "EAGAIN";
  }

  /** Reads the queue of ICMP errors (ip(7), IP_RECVERR). @returns their codes. */
  readErrors(fd: number): string[] {
    const codes: string[] = [];
    for (;;) {
      const count = this.read(fd, READ_SLOTS_MAX, MSG_ERRQUEUE);
      if (typeof count === "string") return codes;
      for (let slot = 0; slot < count; slot++) {
        let at = this.#control(slot, IPPROTO_IP, IP_RECVERR);
        if (at < 0) at = this.#control(slot, IPPROTO_IPV6, IPV6_RECVERR);
        // struct sock_extended_err begins with ee_errno.
        if (at >= 0) codes.push(errnoName(this.#controlWords[at] as number));
      }
    }
  }

  /** Restores the buffer lengths that the kernel overwrote in the first `slots` slots. */
  #resetLengths(slots: number): void {
    for (let slot = 0; slot < slots; slot++) {
      this.#messageWords[slot * HEADER_WORDS + NAME_LENGTH] = SOCKADDR_IN6_BYTES;
      this.#messageWords[slot * HEADER_WORDS + CONTROL_LENGTH] = CONTROL_BYTES;
    }
  }

  /** The number of bytes in a slot. */
  length(slot: number): number {
    return this.#messageWords[slot * HEADER_WORDS + MESSAGE_LENGTH] as number;
  }

  /**
   * The length of each datagram in a slot with merged datagrams; only the last one can be shorter. 0 when the
   * slot has one datagram.
   */
  segmentBytes(slot: number): number {
    const at = this.#control(slot, SOL_UDP, UDP_GRO);
    return at < 0 ? 0 : (this.#controlWords[at] as number);
  }

  /** Bytes of a slot; valid until the next `read`. */
  payload(slot: number, start: number, length: number): Uint8Array {
    const from = slot * SLOT_BYTES + start;
    return this.#payloads.subarray(from, from + length);
  }

  /** The source port. */
  port(slot: number): number {
    // The upper half of the word, in network byte order.
    const word = this.#nameWords[slot * NAME_WORDS] as number;
    return ((word >>> 8) & 0xff00) | (word >>> 24);
  }

  /** The source address literal. */
  address(slot: number): string {
    return this.#sources.literal(this.#nameWords, slot * NAME_WORDS);
  }

  /** The destination address; undefined when answers cannot be sent from it, such as a group. */
  local(slot: number): LinuxLocalAddress | undefined {
    const at4 = this.#control(slot, IPPROTO_IP, IP_PKTINFO);
    if (at4 >= 0) return this.#locals.find4(this.#controlWords, at4);
    const at6 = this.#control(slot, IPPROTO_IPV6, IPV6_PKTINFO);
    return at6 < 0 ? undefined : this.#locals.find6(this.#controlWords, at6);
  }

  /** The position of the data of a control message, in words; -1 when the slot has none of this type. */
  #control(slot: number, level: number, type: number): number {
    const words = this.#controlWords;
    const first = slot * CONTROL_WORDS;
    const length = this.#messageWords[slot * HEADER_WORDS + CONTROL_LENGTH] as number;
    const end = first + Math.min(CONTROL_WORDS, length >>> 2);
    for (let at = first; at + CONTROL_DATA < end; ) {
      const bytes = words[at] as number;
      if (words[at + CONTROL_LEVEL] === level && words[at + CONTROL_TYPE] === type) return at + CONTROL_DATA;
      if (bytes === 0) break;
      at += ((bytes + 7) >>> 3) * 2; // CMSG_ALIGN
    }
    return -1;
  }
}
