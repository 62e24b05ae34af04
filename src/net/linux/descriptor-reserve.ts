/**
 * Keeps descriptors free: Bun 1.4.5 spins when `accept` meets EMFILE, so this process's table must never be full.
 *
 * The kernel hands out the lowest free number (open(2)). So the number of a new descriptor shows how full the table is,
 * without a system call: with descriptors of other tunnels, of their sessions, or of the program that uses this
 * library.
 */

/** Accepted connections leave this share of the table free, and at most this many descriptors. */
const ACCEPT_SHARE = 1 / 4;
const ACCEPT_MAX = 96;
/**
 * Half of these are for sockets that an accepted connection needs, such as UDP; the rest for files and the resolver.
 */
const OPEN_SHARE = 1 / 2;

export class DescriptorReserve {
  readonly #acceptBelow: number;
  readonly #openBelow: number;

  /** @param limit how many descriptors the process may have; Infinity when unknown. */
  constructor(limit: number) {
    const reserve = Math.min(ACCEPT_MAX, limit * ACCEPT_SHARE);
    this.#acceptBelow = limit - reserve;
    this.#openBelow = limit - reserve * OPEN_SHARE;
  }

  /** Whether an accepted connection may keep this descriptor. */
  mayAccept(fd: number): boolean {
    return fd < this.#acceptBelow;
  }

  /** Whether a socket that this process has opened may keep this descriptor. */
  mayOpen(fd: number): boolean {
    return fd < this.#openBelow;
  }
}
