/**
 * The local addresses that datagrams were sent to, each with the control message for sending answers from it.
 */

import type { LocalAddress } from "../datagram-port.ts";
import { IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO } from "./constants.ts";
import { CONTROL_DATA } from "./message-header.ts";
import { addressText } from "./sockaddr.ts";

/**
 * The size of the table: a peer can use all of 127.0.0.0/8. A full table is emptied; entries are created
 * again when needed.
 */
const ENTRIES_MAX = 64;

export interface LinuxLocalAddress extends LocalAddress {
  /** A whole control message with its padding, of struct in_pktinfo (ip(7)) or in6_pktinfo (ipv6(7)). */
  readonly control: Uint32Array;
}

/** The largest control message of one local address: CMSG_SPACE(sizeof(struct in6_pktinfo)). */
export const LOCAL_CONTROL_BYTES_MAX = 40;

const CONTROL4_BYTES = 28; // CMSG_LEN(sizeof(struct in_pktinfo))
const CONTROL6_BYTES = 36; // CMSG_LEN(sizeof(struct in6_pktinfo))

export class LocalAddressTable {
  #entries: LinuxLocalAddress[] = [];
  #last: LinuxLocalAddress | undefined;
  /** The control message that a look-up compares with. */
  readonly #wanted4 = new Uint32Array([CONTROL4_BYTES, 0, IPPROTO_IP, IP_PKTINFO, 0, 0, 0, 0]);
  readonly #wanted6 = new Uint32Array([CONTROL6_BYTES, 0, IPPROTO_IPV6, IPV6_PKTINFO, 0, 0, 0, 0, 0, 0]);

  /**
   * The address in a struct in_pktinfo at word `at`: ipi_spec_dst. For a broadcast it is the address of the
   * interface.
   */
  find4(words: Uint32Array, at: number): LinuxLocalAddress | undefined {
    const address = words[at + 1] as number;
    if (address === 0) return undefined;
    this.#wanted4[CONTROL_DATA + 1] = address;
    return this.#find(this.#wanted4, CONTROL_DATA + 1, 1);
  }

  /** The address in a struct in6_pktinfo at word `at`; undefined for a group. */
  find6(words: Uint32Array, at: number): LinuxLocalAddress | undefined {
    const wanted = this.#wanted6;
    const first = words[at] as number;
    if ((first & 0xff) === 0xff) return undefined;
    for (let word = 0; word < 4; word++) wanted[CONTROL_DATA + word] = words[at + word] as number;
    // A link-local address (fe80::/10) needs its interface. For any other address the routing table decides.
    wanted[CONTROL_DATA + 4] = (first & 0xc0ff) === 0x80fe ? (words[at + 4] as number) : 0;
    return this.#find(wanted, CONTROL_DATA, 4);
  }

  #find(wanted: Uint32Array, addressAt: number, addressWords: number): LinuxLocalAddress {
    if (this.#last !== undefined && equal(this.#last.control, wanted)) return this.#last;
    let found = this.#entries.find(({ control }) => equal(control, wanted));
    if (found === undefined) {
      if (this.#entries.length >= ENTRIES_MAX) this.#entries = [];
      const address = addressText([...wanted.subarray(addressAt, addressAt + addressWords)]);
      found = { address, control: wanted.slice() };
      this.#entries.push(found);
    }
    this.#last = found;
    return found;
  }
}

function equal(one: Uint32Array, other: Uint32Array): boolean {
  if (one.length !== other.length) return false;
  for (let word = CONTROL_DATA; word < one.length; word++) if (one[word] !== other[word]) return false;
  return true;
}
