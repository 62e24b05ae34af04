/** The addresses that are allowed: fixed addresses and blocks, and single addresses that can be replaced. */

import { AddressSet } from "../../net/address-set.ts";

export class AddressFilter {
  readonly #blocks: readonly string[];
  #allowed: AddressSet;
  /** The address that was allowed last, as the caller spelt it. A rejected address does not replace it. */
  #lastAllowed = "";

  /** @param blocks address literals, each optionally with `/PREFIX`. */
  constructor(blocks: readonly string[]) {
    this.#blocks = blocks;
    this.#allowed = new AddressSet(blocks);
  }

  /** Replaces the single addresses that are allowed in addition to the blocks. */
  allowOnly(addresses: readonly string[]): void {
    this.#allowed = new AddressSet([...this.#blocks, ...addresses]);
    this.#lastAllowed = "";
  }

  /** Whether this address is allowed. */
  allows(address: string): boolean {
    if (address === this.#lastAllowed) return true;
    if (!this.#allowed.has(address)) return false;
    this.#lastAllowed = address;
    return true;
  }
}
