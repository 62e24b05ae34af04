/** A cache of source address literals, so that no string is created for each datagram. */

import { AF_INET } from "./constants.ts";
import { type Libc, memory } from "./libc.ts";
import { addressText } from "./sockaddr.ts";

/**
 * A power of 2. Two addresses that share an entry evict each other, which only costs a new string each time.
 */
const ENTRIES = 1024;

/**
 * From a sockaddr: `a` to `d` are the 32-bit words of the address, as they are in memory. IPv4 uses only `d`.
 */
interface Entry {
  readonly family: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly scope: number;
  readonly literal: string;
}

export class SourceAddresses {
  readonly #libc: Libc;
  readonly #entries: (Entry | undefined)[] = new Array(ENTRIES).fill(undefined);

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /**
   * The literal of the address in a sockaddr_in or sockaddr_in6, as Bun writes it.
   *
   * @param words the memory of the sockaddr. @param at its offset, in words.
   */
  literal(words: Uint32Array, at: number): string {
    const family = (words[at] as number) & 0xffff;
    const four = family === AF_INET;
    const a = four ? 0 : (words[at + 2] as number);
    const b = four ? 0 : (words[at + 3] as number);
    const c = four ? 0 : (words[at + 4] as number);
    const d = words[at + (four ? 1 : 5)] as number;
    const scope = four ? 0 : (words[at + 6] as number);
    const index = Math.imul(a ^ b ^ c ^ d ^ scope, 0x9e3779b1) >>> 22;
    const entry = this.#entries[index];
    if (entry?.d === d && entry.a === a && entry.b === b && entry.c === c) {
      if (entry.scope === scope && entry.family === family) return entry.literal;
    }
    const literal = addressText(four ? [d] : [a, b, c, d]) + this.#zone(scope);
    this.#entries[index] = { family, a, b, c, d, scope, literal };
    return literal;
  }

  #zone(scope: number): string {
    if (scope === 0) return "";
    const name = memory(16); // IF_NAMESIZE, netdevice(7)
    const found = this.#libc.if_indextoname(scope, name);
    return found ? `%${new TextDecoder().decode(name.subarray(0, name.indexOf(0)))}` : `%${scope}`;
  }
}
