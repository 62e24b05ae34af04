/** Which addresses may: a set of single addresses and of blocks. */

import { BlockList } from "node:net";
import { familyOf, unmapped } from "../net/endpoint.ts";

export class AddressFilter {
  readonly #blocks = new BlockList();
  #single = new Set<string>();
  /** The address allowed last, just as it was given: traffic mostly comes from one. */
  #last: string | undefined;

  /** @param blocks address literals, each perhaps with `/PREFIX`. */
  constructor(blocks: readonly string[]) {
    for (const block of blocks) {
      const [address = "", prefix] = block.split("/");
      const family = familyOf(address) === 6 ? "ipv6" : "ipv4";
      if (prefix === undefined) this.#blocks.addAddress(address, family);
      else this.#blocks.addSubnet(address, Number(prefix), family);
    }
  }

  /** Replaces the single addresses that are allowed besides the blocks. */
  allowOnly(addresses: readonly string[]): void {
    this.#single = new Set(addresses.map(bare));
    this.#last = undefined;
  }

  /** Whether this address may. Costs one comparison when it is the one allowed last. */
  allows(address: string): boolean {
    if (address === this.#last) return true;
    const plain = bare(address);
    const allowed =
      this.#single.has(plain) || this.#blocks.check(plain, familyOf(plain) === 6 ? "ipv6" : "ipv4");
    if (allowed) this.#last = address;
    return allowed;
  }
}

/** An address as the kernel writes it, less its zone, and less the wrapping of IPv4 in IPv6. */
function bare(address: string): string {
  return unmapped(address.replace(/%.*$/, "").toLowerCase());
}
