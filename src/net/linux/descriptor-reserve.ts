/**
 * Keeps file descriptors free: Bun 1.4.5 spins when `accept` fails with EMFILE, so the descriptor table must
 * never be full.
 *
 *   1. {@link DescriptorReserve} limits what this library opens.
 *   2. {@link spareDescriptor} helps when the rest of the program fills the table: it closes its descriptor,
 *      so that `accept` works again.
 */

import { EFD_CLOEXEC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** Accepted connections leave this share of the table free, but at most ACCEPT_MAX descriptors. */
const ACCEPT_SHARE = 1 / 4;
const ACCEPT_MAX = 96;
/**
 * This share of the reserve is for sockets that an accepted connection needs, such as UDP; the rest is for
 * files and DNS.
 */
const OPEN_SHARE = 1 / 2;

/**
 * Decides by its number whether a new descriptor may be kept. The kernel uses the lowest free number
 * (open(2)), so the number shows how full the table is, without a system call. Descriptors of other tunnels,
 * of their sessions and of the program that uses this library count too.
 */
export class DescriptorReserve {
  readonly #acceptBelow: number;
  readonly #openBelow: number;

  /** @param limit the most descriptors that the process may have; Infinity when unknown. */
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

/** The interval between checks for a full table, while there is a listener. */
const CHECK_MS = 1000;

/**
 * Holds one spare descriptor while there is a listener. When the table is full, it closes the spare, and the
 * server rejects connections one by one until two descriptors are free again.
 */
class SpareDescriptor {
  readonly #libc: Libc;
  #listeners = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** -1 while it is closed. */
  #spare = -1;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Whether the table was full at the last check. */
  get tableFull(): boolean {
    return this.#timer !== undefined && this.#spare < 0;
  }

  /** Call it when a listener opens. @returns a function to call when the listener closes. */
  addListener(): () => void {
    if (this.#listeners++ === 0) {
      this.#timer = setInterval(() => this.#check(), CHECK_MS);
      this.#check();
    }
    let closed = false;
    return () => {
      if (closed) return;
      closed = true;
      if (--this.#listeners > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#close(this.#spare);
      this.#spare = -1;
    };
  }

  #check(): void {
    if (this.#spare < 0) this.#spare = this.#open();
    const other = this.#open();
    if (other >= 0) return this.#close(other);
    this.#close(this.#spare);
    this.#spare = -1;
  }

  /** Opens an eventfd, not a socket: systemd's RestrictAddressFamilies= may forbid sockets of a family. */
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
