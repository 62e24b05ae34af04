/**
 * Lets Bun report that a UDP socket is readable, and leaves the reading to us: Bun 1.4.5 does not report to which local
 * address a datagram was sent.
 *
 *   1. The socket gets a second descriptor, `fd`. The next steps use that one.
 *   2. `install` replaces the descriptor that Bun knows by another file (an eventfd). The kernel's poll follows the
 *      open file and not the number (epoll(7), question 6): it still reports the socket.
 *   3. Bun then tries to read, fails once with ENOTSOCK and calls `error`: that is the doorbell. While datagrams are
 *      left unread, Bun calls it again in the next tick.
 *   4. `remove` puts the socket back. Bun must find it there when it closes it, or the poll would go on.
 *
 * Bun must not poll for writability meanwhile: it would clear that on the wrong file, and the loop would spin. Bun
 * polls a new socket for writability until its first `drain`, so `install` waits for that. After `install` Bun itself
 * must not send.
 */

import { EFD_CLOEXEC, F_DUPFD_CLOEXEC, SOCK_CLOEXEC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** The code of the error by which Bun reports that the socket is readable. */
export const DOORBELL_CODE = "ENOTSOCK";

export class Doorbell {
  readonly #libc: Libc;
  readonly #bunFd: number;
  readonly #realFd: number;
  #state: "waiting" | "installed" | "removed" = "waiting";

  private constructor(libc: Libc, bunFd: number, realFd: number) {
    this.#libc = libc;
    this.#bunFd = bunFd;
    this.#realFd = realFd;
  }

  /** For a UDP socket of Bun's, to be installed at its first `drain`; undefined when no descriptor is left. */
  static create(libc: Libc, bunFd: number): Doorbell | undefined {
    const realFd = libc.fcntl(bunFd, F_DUPFD_CLOEXEC, 0);
    return realFd < 0 ? undefined : new Doorbell(libc, bunFd, realFd);
  }

  get installed(): boolean {
    return this.#state === "installed";
  }

  /** The socket's own descriptor. */
  get fd(): number {
    return this.#state === "removed" ? this.#bunFd : this.#realFd;
  }

  /** Call it in Bun's first `drain`. @returns whether it worked; if not, Bun goes on reading. */
  install(): boolean {
    if (this.#state !== "waiting") return false;
    const placeholder = this.#libc.eventfd(0, EFD_CLOEXEC);
    if (placeholder < 0) return false;
    const placed = this.#libc.dup3(placeholder, this.#bunFd, SOCK_CLOEXEC) >= 0;
    this.#libc.close(placeholder);
    if (placed) this.#state = "installed";
    return placed;
  }

  /** Lets Bun read again. */
  remove(): void {
    if (this.#state === "removed") return;
    if (this.installed) this.#libc.dup3(this.#realFd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(this.#realFd);
    this.#state = "removed";
  }
}
