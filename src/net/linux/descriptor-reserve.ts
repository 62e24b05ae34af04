/**
 * Keeps file descriptors free. Bun 1.4.5 spins when `accept` fails with EMFILE, so the descriptor table must never be full.
 *
 *   1. {@link DescriptorReserve} limits what this library opens.
 *   2. {@link spareDescriptor} helps when the rest of the program fills the table: it closes a spare descriptor, so that
 *      `accept` works again.
 */

import { EFD_CLOEXEC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** Accepted connections leave this share of the table free, and at most this many descriptors. */
const ACCEPT_SHARE = 1 / 4;
const ACCEPT_MAX = 96;
/**
 * Half of these are for sockets that an accepted connection needs, such as UDP; the rest for files and the resolver.
 */
const OPEN_SHARE = 1 / 2;

/**
 * Decides by its number whether a new descriptor may be kept. The kernel uses the lowest free number (open(2)), so the
 * number shows how full the table is, without a system call. Descriptors of other tunnels, of their sessions and of the
 * program that uses this library count too.
 */
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

/** The interval of the checks whether the table is full, while anything listens. */
const LOOK_MS = 1000;

/**
 * One spare descriptor, while anything listens. When the table is full, it is closed, and connections are rejected one by
 * one until two descriptors are free again.
 */
class SpareDescriptor {
  readonly #libc: Libc;
  #listeners = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** -1 while it is given away. */
  #spare = -1;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Whether the table was full at the last check. */
  get givenAway(): boolean {
    return this.#timer !== undefined && this.#spare < 0;
  }

  /** A listener is open, until the returned function is called. */
  listening(): () => void {
    if (this.#listeners++ === 0) {
      this.#timer = setInterval(() => this.#look(), LOOK_MS);
      this.#look();
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--this.#listeners > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#close(this.#spare);
      this.#spare = -1;
    };
  }

  #look(): void {
    if (this.#spare < 0) this.#spare = this.#open();
    const other = this.#open();
    if (other >= 0) return this.#close(other);
    this.#close(this.#spare);
    this.#spare = -1;
  }

  /** No socket: a process may be refused those of a family (systemd, RestrictAddressFamilies=) though there is room. */
  #open(): number {
    return this.#libc.eventfd(0, EFD_CLOEXEC);
  }

  #close(fd: number): void {
    if (fd >= 0) this.#libc.close(fd);
  }
}

let shared: SpareDescriptor | undefined;

/** The spare descriptor of this process. */
export function spareDescriptor(libc: Libc): SpareDescriptor {
  shared ??= new SpareDescriptor(libc);
  return shared;
}
