/**
 * Lets Bun report that a UDP socket is readable, and leaves the reading to us: Bun 1.4.5 keeps to itself which local
 * address a datagram was sent to.
 *
 *   1. The socket gets a second descriptor, `fd`. What follows uses that one.
 *   2. `install` puts a file that is no socket in the place of the descriptor that Bun knows. The kernel's poll follows the
 *      open file and not the number (epoll(7), question 6): it still reports the socket.
 *   3. Bun then tries to read, fails once with ENOTSOCK and calls `error`: that is the doorbell. What we leave unread is
 *      reported again in the next tick.
 *   4. `remove` puts the socket back: Bun must find it there when it closes it, or the poll would go on.
 *
 * Never while Bun polls for writability: it would clear that on the wrong file, and the loop would spin. A new socket is
 * polled so until its first `drain`; after `install` Bun itself must send nothing.
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

  /** For a UDP socket of Bun's, to be installed at its first `drain`; undefined when no descriptor is to be had. */
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

  /** To be called in Bun's first `drain`. Says whether it worked; if not, Bun goes on reading. */
  install(): boolean {
    if (this.#state !== "waiting") return false;
    const placeholder = this.#libc.eventfd(0, EFD_CLOEXEC);
    if (placeholder < 0) return false;
    const placed = this.#libc.dup3(placeholder, this.#bunFd, SOCK_CLOEXEC) >= 0;
    this.#libc.close(placeholder);
    if (placed) this.#state = "installed";
    return placed;
  }

  /** Bun reads again. */
  remove(): void {
    if (this.#state === "removed") return;
    if (this.installed) this.#libc.dup3(this.#realFd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(this.#realFd);
    this.#state = "removed";
  }
}
