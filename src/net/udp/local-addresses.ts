/** Tells whether an address belongs to this host, without asking the operating system for each datagram. */

import type { Clock } from "../clock.ts";
import { familyOf, withoutZone } from "../endpoint.ts";

/** How long the list of addresses is kept. Reading it costs as much as relaying twenty datagrams. */
export const LOCAL_ADDRESSES_MS = 5000;

export class LocalAddresses {
  readonly #read: () => readonly string[];
  readonly #clock: Clock;
  /** Each address as a socket may report a source: IPv4 also in its v4-mapped form. */
  #spellings = new Set<string>();
  #readAt = -Infinity;

  /** @param read returns the addresses, as literals without a zone. Called at most every {@link LOCAL_ADDRESSES_MS}. */
  constructor(read: () => readonly string[], clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** @param address a source address as a socket reports it, with or without a zone. */
  has(address: string): boolean {
    const now = this.#clock.now();
    if (now - this.#readAt >= LOCAL_ADDRESSES_MS) {
      this.#readAt = now;
      this.#spellings = new Set(this.#read().flatMap(spellingsOf));
    }
    return this.#spellings.has(withoutZone(address));
  }
}

function spellingsOf(address: string): string[] {
  return familyOf(address) === 4 ? [address, `::ffff:${address}`] : [address];
}
