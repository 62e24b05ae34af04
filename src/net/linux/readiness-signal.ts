/**
 * Makes Bun report that a UDP socket is readable without reading it, so that we can read it ourselves. Bun
 * can also read the socket again: the signal can be installed and removed any number of times.
 *
 *   1. `install` gives the socket a second descriptor, `fd`, for our own reads, and puts another file (an
 *      eventfd) at Bun's descriptor. The kernel polls the open file, not the descriptor (epoll(7), question
 *      6), so Bun is still notified when the socket is readable.
 *   2. Bun then tries to read, fails once with ENOTSOCK and calls `error`. While datagrams or ICMP errors
 *      remain unread, it does so again in each tick. Called in Bun's `data`, `install` ends Bun's receive
 *      loop: Bun delivers the datagrams that it has read, at most seven, and then fails in the same way.
 *   3. `remove` puts the socket back. Bun must find the socket there when it closes it; otherwise the kernel
 *      continues to poll it.
 *
 * Bun must not stop polling for writability while the eventfd is installed: it would clear EPOLLOUT on the
 * wrong file, and the loop would spin. Bun does so for each new socket, just before the first `drain`. Until
 * then, the signal must be removed again in the `error` that follows, which comes before the `drain`. Later,
 * Bun must not send on the socket, because a full buffer makes it poll for writability.
 */

import { EFD_CLOEXEC, F_DUPFD_CLOEXEC, SOCK_CLOEXEC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** The code of the error by which Bun reports that the socket is readable. */
export const READINESS_CODE = "ENOTSOCK";

export class ReadinessSignal {
  /** The descriptor of the real socket. */
  fd: number;
  readonly #libc: Libc;
  readonly #bunFd: number;

  /** @param bunFd the descriptor of a UDP socket of Bun. */
  constructor(libc: Libc, bunFd: number) {
    this.#libc = libc;
    this.#bunFd = bunFd;
    this.fd = bunFd;
  }

  get installed(): boolean {
    return this.fd !== this.#bunFd;
  }

  /**
   * It takes two descriptors and keeps one of them.
   *
   * @param mayKeep whether the descriptor may be kept: enough others are left.
   * @returns whether it worked. If not, Bun continues to read.
   */
  install(mayKeep: (fd: number) => boolean): boolean {
    if (this.installed) return true;
    const placeholder = this.#libc.eventfd(0, EFD_CLOEXEC);
    if (placeholder < 0) return false;
    const realFd = this.#libc.fcntl(this.#bunFd, F_DUPFD_CLOEXEC, 0);
    if (realFd >= 0 && mayKeep(realFd)) {
      this.#libc.dup3(placeholder, this.#bunFd, SOCK_CLOEXEC);
      this.fd = realFd;
    } else if (realFd >= 0) this.#libc.close(realFd);
    this.#libc.close(placeholder);
    return this.installed;
  }

  /** Gives the socket back to Bun, which reads it again. */
  remove(): void {
    if (!this.installed) return;
    this.#libc.dup3(this.fd, this.#bunFd, SOCK_CLOEXEC);
    this.#libc.close(this.fd);
    this.fd = this.#bunFd;
  }
}
