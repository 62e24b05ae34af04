/** Which addresses may: a set of single addresses and of blocks. */

import { BlockList } from "node:net";
import { familyOf, unmapped, withoutZone } from "../../net/endpoint.ts";

/** At most this many allowed addresses are cached: a block may hold any number, and senders can choose among them. */
const KNOWN_MAX = 256;

export class AddressFilter {
  readonly #blocks: BlockList;
  #single = new BlockList();
  /** Allowed addresses, as they were given. Other addresses are not cached: anyone can send from many. */
  readonly #known = new Set<string>();

  /** @param blocks address literals, each perhaps with `/PREFIX`. */
  constructor(blocks: readonly string[]) {
    this.#blocks = listOf(blocks);
  }

  /** Replaces the single addresses that are allowed besides the blocks. */
  allowOnly(addresses: readonly string[]): void {
    this.#single = listOf(addresses);
    this.#known.clear();
  }

  /** Whether this address is allowed. Costs one look-up when it was allowed lately, else some 0.5 us. */
  allows(address: string): boolean {
    if (this.#known.has(address)) return true;
    const plain = bare(address);
    const family = blockFamily(plain);
    const allowed = this.#single.check(plain, family) || this.#blocks.check(plain, family);
    if (!allowed) return false;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(address);
    return true;
  }
}

/** A list compares addresses by their bits: one address may be spelled in many ways. */
function listOf(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [given = "", prefix] = block.split("/");
    const address = bare(given);
    const family = blockFamily(address);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Math.max(0, Number(prefix) - (given === address ? 0 : MAPPED_BITS)), family);
  }
  return list;
}

/** The bits before the IPv4 address in a v4-mapped one. */
const MAPPED_BITS = 96;

function blockFamily(address: string): "ipv4" | "ipv6" {
  return familyOf(address) === 6 ? "ipv6" : "ipv4";
}

/** An address less its zone, and less the wrapping of IPv4 in IPv6. */
function bare(address: string): string {
  return unmapped(withoutZone(address));
}
