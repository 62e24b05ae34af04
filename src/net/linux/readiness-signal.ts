/**
 * Makes Bun report that a UDP socket is readable without reading it. We then read it ourselves: Bun 1.4.5
 * does not report to which local address a datagram was sent.
 *
 *   1. `create` gives the socket a second descriptor, `fd`, for our own reads.
 *   2. `install` puts another file (an eventfd) at Bun's descriptor. The kernel polls the open file, not the
 *      descriptor (epoll(7), question 6), so Bun is still notified when the socket is readable.
 *   3. Bun then tries to read, fails once with ENOTSOCK and calls `error`. While datagrams remain unread, it
 *      does so again in each tick.
 *   4. `remove` puts the socket back. Bun must find the socket there when it closes it; otherwise the kernel
 *      continues to poll it.
 *
 * Bun must not poll for writability while the eventfd is installed: it would clear EPOLLOUT on the wrong
 * file, and the loop would spin. Bun polls a new socket for writability until its first `drain`, so `install`
 * must wait for that. After `install` Bun must not send on the socket.
 */

import { EFD_CLOEXEC, F_DUPFD_CLOEXEC, SOCK_CLOEXEC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** The code of the error by which Bun reports that the socket is readable. */
export const READINESS_CODE = "ENOTSOCK";

export class ReadinessSignal {
  readonly #libc: Libc;
  readonly #bunFd: number;
  readonly #realFd: number;
  #state: "waiting" | "installed" | "removed" = "waiting";

  private constructor(libc: Libc, bunFd: number, realFd: number) {
    this.#libc = libc;
    this.#bunFd = bunFd;
    this.#realFd = realFd;
  }

  /** For a UDP socket of Bun. @returns undefined when no descriptor is free. */
  static create(libc: Libc, bunFd: number): ReadinessSignal | undefined {
    const realFd = libc.fcntl(bunFd, F_DUPFD_CLOEXEC, 0);
    return realFd < 0 ? undefined : new ReadinessSignal(libc, bunFd, realFd);
  }

  get installed(): boolean {
    return this.#state === "installed";
  }

  /** The descriptor of the real socket. */
  get fd(): number {
    return this.#state === "removed" ? this.#bunFd : this.#realFd;
  }

  /** Call it in Bun's first `drain`. @returns whether it worked; if not, Bun continues to read. */
  install(): boolean {
    if (this.#state !== "waiting") return false;
    const placeholder = this.#libc.eventfd(0, EFD_CLOEXEC);
    if (placeholder < 0) return false;
    const placed = this.#libc.dup3(placeholder, this.#bunFd, SOCK_CLOEXEC) >= 0;
    this.#libc.close(placeholder);
    if (placed) this.#state = "installed";
    return placed;
  }

  /** Gives the socket back to Bun, which reads it again. */
  remove(): void {
    if (this.#state === "removed") return;
    if (this.installed) this.#libc.dup3(this.#realFd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(this.#realFd);
    this.#state = "removed";
  }
}
