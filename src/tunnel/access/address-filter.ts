/** A set of allowed addresses: single addresses and blocks. */

import { BlockList } from "node:net";
import { familyOf, unmapped, withoutZone } from "../../net/endpoint.ts";

/** The limit of the cache. A block may hold any number of addresses, and a sender can use all of them. */
const CACHE_MAX = 256;

export class AddressFilter {
  readonly #blocks: BlockList;
  #single = new BlockList();
  /** Allowed addresses, as spelt by the caller. Rejected ones are not cached: a sender can use any number. */
  readonly #cache = new Set<string>();

  /** @param blocks address literals, each optionally with `/PREFIX`. */
  constructor(blocks: readonly string[]) {
    this.#blocks = listOf(blocks);
  }

  /** Replaces the single addresses that are allowed in addition to the blocks. */
  allowOnly(addresses: readonly string[]): void {
    this.#single = listOf(addresses);
    this.#cache.clear();
  }

  /** Whether this address is allowed. Costs one look-up if the address is cached, else about 0.5 us. */
  allows(address: string): boolean {
    if (this.#cache.has(address)) return true;
    const plain = normalized(address);
    const family = blockFamily(plain);
    const allowed = this.#single.check(plain, family) || this.#blocks.check(plain, family);
    if (!allowed) return false;
    if (this.#cache.size >= CACHE_MAX) this.#cache.clear();
    this.#cache.add(address);
    return true;
  }
}

/** A `BlockList` compares the bits of addresses, so that the spelling of an address does not matter. */
function listOf(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [given = "", prefix] = block.split("/");
    const address = normalized(given);
    const family = blockFamily(address);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Math.max(0, Number(prefix) - (given === address ? 0 : MAPPED_BITS)), family);
  }
  return list;
}

/** The length of the prefix of an IPv4-mapped address (RFC 4291, 2.5.5.2). */
const MAPPED_BITS = 96;

function blockFamily(address: string): "ipv4" | "ipv6" {
  return familyOf(address) === 6 ? "ipv6" : "ipv4";
}

/** The address without its zone; for an IPv4-mapped address the IPv4 address. */
function normalized(address: string): string {
  return unmapped(withoutZone(address));
}
