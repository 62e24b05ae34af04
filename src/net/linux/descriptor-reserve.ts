/**
 * Keeps descriptors free: Bun 1.4.5 spins when `accept` meets EMFILE, so this process's table must never be full.
 *
 * The kernel hands out the lowest free number (open(2)). So the number of a new descriptor tells how full the table is,
 * whoever filled it: other tunnels, their sessions, or the program this library is part of. No system call is needed.
 */

/** The part of the table that accepted connections leave free, and its most. */
const ACCEPT_SHARE = 1 / 4;
const ACCEPT_MAX = 96;
/** Half of that is for what an accepted connection needs, such as its UDP socket; the rest for files and the resolver. */
const OPEN_SHARE = 1 / 2;

export class DescriptorReserve {
  readonly #acceptBelow: number;
  readonly #openBelow: number;

  /** @param limit how many descriptors the process may have; Infinity when that is not known. */
  constructor(limit: number) {
    const reserve = Math.min(ACCEPT_MAX, limit * ACCEPT_SHARE);
    this.#acceptBelow = limit - reserve;
    this.#openBelow = limit - reserve * OPEN_SHARE;
  }

  /** Whether an accepted connection with this descriptor may stay. */
  mayAccept(fd: number): boolean {
    return fd < this.#acceptBelow;
  }

  /** Whether a socket that this process has opened, with this descriptor, may stay. */
  mayOpen(fd: number): boolean {
    return fd < this.#openBelow;
  }
}
