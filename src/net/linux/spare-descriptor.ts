/**
 * Keeps one spare descriptor. Bun 1.4.5 spins when `accept` meets EMFILE, and the program that uses this library may
 * fill the table itself. The spare is then closed, so that `accept` works again. Connections are rejected one by one,
 * until there is room for the spare and one more.
 */

import { EFD_CLOEXEC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** The interval of the checks whether the table is full, while anything listens. */
const LOOK_MS = 1000;

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
