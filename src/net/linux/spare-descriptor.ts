/**
 * Keeps one descriptor to give away. Bun 1.4.5 spins when `accept` meets EMFILE, and a program that this library is part
 * of may fill the table by itself. The spare is then closed: `accept` can take connections again, which are rejected one
 * by one, until there is room for the spare and one more.
 */

import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** How often the table is looked at while anything listens. */
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

  /** Whether the table was full when it was last looked at. */
  get givenAway(): boolean {
    return this.#timer !== undefined && this.#spare < 0;
  }

  /** Something listens, until the returned function is called. */
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

  #open(): number {
    return this.#libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }

  #close(fd: number): void {
    if (fd >= 0) this.#libc.close(fd);
  }
}

let shared: SpareDescriptor | undefined;

/** The one of this process. */
export function spareDescriptor(libc: Libc): SpareDescriptor {
  shared ??= new SpareDescriptor(libc);
  return shared;
}
