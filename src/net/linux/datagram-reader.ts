/**
 * The memory into which recvmmsg(2) writes datagrams, and access to them. The parts of a slot:
 *
 *     struct mmsghdr     see message-header.ts; the kernel changes msg_namelen, msg_controllen, msg_len
 *     sockaddr           the source address: sockaddr_in or sockaddr_in6
 *     control messages   the destination address: IP_PKTINFO (ip(7)), IPV6_PKTINFO (ipv6(7))
 *     payload            up to 65,527 bytes
 *
 * On a dual-stack socket an IPv4 datagram has both control messages. Only IP_PKTINFO is also right for
 * broadcasts.
 */

import { IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO, MSG_DONTWAIT } from "./constants.ts";
import { type Libc, memory } from "./libc.ts";
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

/** At most this many datagrams are read in one system call. */
export const READ_DATAGRAMS_MAX = 64;

const NAME_WORDS = 8;
/** Room for IP_PKTINFO, IPV6_PKTINFO and one more. */
const CONTROL_BYTES = 128;
const CONTROL_WORDS = CONTROL_BYTES / 4;
/** An odd number of cache lines: with 65,536 bytes all slots would share the same few cache sets. */
const SLOT_BYTES = 65_600;

/**
 * One object serves any number of sockets: its datagrams are handled before the next `read`. It takes 4.2 MB
 * of address space, and the kernel touches little of it.
 */
export class DatagramReader {
  readonly #libc: Libc;
  readonly #messages = memory(READ_DATAGRAMS_MAX * HEADER_BYTES);
  readonly #iovecs = memory(READ_DATAGRAMS_MAX * IOVEC_BYTES);
  readonly #names = memory(READ_DATAGRAMS_MAX * NAME_WORDS * 4);
  readonly #controls = memory(READ_DATAGRAMS_MAX * CONTROL_BYTES);
  readonly #payloads = memory(READ_DATAGRAMS_MAX * SLOT_BYTES);
  readonly #messageWords = new Uint32Array(this.#messages.buffer);
  readonly #nameWords = new Uint32Array(this.#names.buffer);
  readonly #controlWords = new Uint32Array(this.#controls.buffer);
  readonly #locals = new LocalAddressTable();
  readonly #sources: SourceAddresses;
  /** The number of slots that the last call wrote. */
  #written = READ_DATAGRAMS_MAX;

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
    for (let slot = 0; slot < READ_DATAGRAMS_MAX; slot++) {
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
   * @param max 1 to {@link READ_DATAGRAMS_MAX}.
   * @returns the number of datagrams, or the errno name: EAGAIN when the queue is empty.
   */
  read(fd: number, max: number): number | string {
    this.#resetLengths(this.#written);
    const count = this.#libc.recvmmsg(fd, this.#messages, max, MSG_DONTWAIT, null);
    this.#written = Math.max(1, count); // a failed call may have written the first
    return count < 0 ? this.#libc.errno() : count;
  }

  /** Restores the buffer lengths that the kernel overwrote in the first `slots` slots. */
  #resetLengths(slots: number): void {
    for (let slot = 0; slot < slots; slot++) {
      this.#messageWords[slot * HEADER_WORDS + NAME_LENGTH] = SOCKADDR_IN6_BYTES;
      this.#messageWords[slot * HEADER_WORDS + CONTROL_LENGTH] = CONTROL_BYTES;
    }
  }

  /** The bytes of a datagram; valid until the next `read`. */
  payload(slot: number): Uint8Array {
    const start = slot * SLOT_BYTES;
    const length = this.#messageWords[slot * HEADER_WORDS + MESSAGE_LENGTH] as number;
    return this.#payloads.subarray(start, start + length);
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
    const words = this.#controlWords;
    const first = slot * CONTROL_WORDS;
    const length = this.#messageWords[slot * HEADER_WORDS + CONTROL_LENGTH] as number;
    const end = first + Math.min(CONTROL_WORDS, length >>> 2);
    let found6 = -1;
    for (let at = first; at + CONTROL_DATA <= end; ) {
      const bytes = words[at] as number;
      const level = words[at + CONTROL_LEVEL];
      const type = words[at + CONTROL_TYPE];
      if (level === IPPROTO_IP && type === IP_PKTINFO) return this.#locals.find4(words, at + CONTROL_DATA);
      if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) found6 = at + CONTROL_DATA;
      if (bytes === 0) break;
      at += ((bytes + 7) >>> 3) * 2; // CMSG_ALIGN
    }
    return found6 < 0 ? undefined : this.#locals.find6(words, found6);
  }
}
