/**
 * A TCP connection attempt that can be cancelled, and whose options apply from its first packet on.
 *
 *     const dial = beginDial(libc, { to });
 *     if ("fd" in dial) Bun.connect({ fd: dial.fd, allowHalfOpen: true, socket: ... });
 *
 * Bun adopts the descriptor while the TCP handshake runs. Its events then mean:
 *
 *   open           nothing; Bun calls it at once
 *   first drain    connected; data that the peer sent before is delivered after it
 *   close          before drain: failed, with the real cause in `error.code` (ECONNREFUSED, ETIMEDOUT, ...)
 *
 * `terminate()` before `drain` cancels the attempt. (Measured on Bun 1.4.5; test/net/linux/dial.test.ts pins
 * it.)
 */

import { type Endpoint, familyOf, unmapped } from "../endpoint.ts";
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./constants.ts";
import type { Libc, Memory } from "./libc.ts";
import { encodeSockaddr } from "./sockaddr.ts";
import { setBindWithoutPort, setMark, setTrafficClass, setUserTimeout } from "./socket-options.ts";

export interface DialRequest {
  readonly to: Endpoint;
  /** The local address literal to dial from; if absent, the system chooses. */
  readonly from?: string | undefined;
  /** See `setMark`. */
  readonly mark?: number | undefined;
  /**
   * See `setUserTimeout`. It also limits the attempt, rounded up to the next retransmission of the SYN (1, 3,
   * 7 ... s).
   */
  readonly userTimeoutMs?: number;
  /** See `setTrafficClass`. */
  readonly tos?: number | undefined;
  /** Whether a socket may keep this descriptor. If absent, every socket may. */
  readonly mayOpen?: (fd: number) => boolean;
}

/**
 * Opens a socket and starts to connect it.
 *
 * @returns the descriptor, which the caller then owns, or the errno name of an immediate failure:
 * EADDRNOTAVAIL when `from` is not an address of this host, ENETUNREACH without a route, EPERM for a mark,
 * EINVAL when `to` is not an address, EMFILE.
 */
export function beginDial(libc: Libc, request: DialRequest): { fd: number } | { error: string } {
  const family = familyOf(unmapped(request.to.address));
  const to = encodeSockaddr(libc, request.to, family);
  if (typeof to === "string") return { error: to };
  const domain = family === 6 ? AF_INET6 : AF_INET;
  const fd = libc.socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return { error: libc.errno() };
  const refusal = prepare(libc, fd, request) ?? connect(libc, fd, to);
  if (refusal === undefined) return { fd };
  libc.close(fd);
  return { error: refusal };
}

function prepare(libc: Libc, fd: number, request: DialRequest): string | undefined {
  const { to, from, mark, userTimeoutMs, tos, mayOpen } = request;
  return (
    (mayOpen?.(fd) === false ? "EMFILE" : undefined) ??
    (mark === undefined ? undefined : setMark(libc, fd, mark)) ??
    (userTimeoutMs === undefined ? undefined : setUserTimeout(libc, fd, userTimeoutMs)) ??
    (tos === undefined ? undefined : setTrafficClass(libc, fd, tos)) ??
    (from === undefined ? undefined : bind(libc, fd, from, familyOf(unmapped(to.address))))
  );
}

function bind(libc: Libc, fd: number, from: string, family: 4 | 6): string | undefined {
  const address = encodeSockaddr(libc, { address: from, port: 0 }, family);
  if (typeof address === "string") return address;
  // On an older kernel this fails and bind chooses the port itself, which works too.
  setBindWithoutPort(libc, fd);
  return libc.bind(fd, address, address.length) === 0 ? undefined : libc.errno();
}

function connect(libc: Libc, fd: number, to: Memory): string | undefined {
  if (libc.connect(fd, to, to.length) === 0) return undefined;
  const error = libc.errno();
  // An interrupted connect continues in the background, like a non-blocking one (connect(2), EINTR).
  return error === "EINPROGRESS" || error === "EINTR" ? undefined : error;
}
