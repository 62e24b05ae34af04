/**
 * A TCP connection attempt that can be given up, and whose options hold from its first packet on.
 *
 *     const dial = beginDial(libc, { to });
 *     if ("fd" in dial) Bun.connect({ fd: dial.fd, allowHalfOpen: true, socket: ... });
 *
 * Bun adopts the descriptor while the handshake runs. Its `open` then comes at once and means nothing; the first
 * `drain` means connected; `close(socket, error)` before it means failed, with the true cause in `error.code`
 * (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...). `terminate()` before `drain` withdraws the attempt. Data of a peer that
 * speaks first comes after `drain`, even when it arrived before Bun looked. (Measured on Bun 1.4.5; its tests pin it.)
 */

import { type Endpoint, familyOf, unmapped } from "../endpoint.ts";
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "./constants.ts";
import type { Libc, Memory } from "./libc.ts";
import { encodeSockaddr } from "./sockaddr.ts";
import { setBindWithoutPort, setMark, setTrafficClass, setUserTimeout } from "./socket-options.ts";

export interface DialRequest {
  readonly to: Endpoint;
  /** The local address literal to dial from; the system chooses when absent. */
  readonly from?: string;
  /** See `setMark`. */
  readonly markValue?: number;
  /** See `setUserTimeout`: bounds the attempt too, rounded up to the next repetition of the SYN (1, 3, 7 ... s). */
  readonly userTimeoutMs?: number;
  /** See `setTrafficClass`. */
  readonly tos?: number;
  /** Whether a socket may keep this descriptor. Without this function, each may. */
  readonly mayOpen?: (fd: number) => boolean;
}

/**
 * Opens a socket and begins to connect it.
 *
 * @returns the descriptor, which is now the caller's, or the errno name of what failed at once: EADDRNOTAVAIL for a
 * `from` that is not this host's, ENETUNREACH without a route, EPERM for a mark, EINVAL for what is no address, EMFILE.
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
  const { to, from, markValue, userTimeoutMs, tos, mayOpen } = request;
  return (
    (mayOpen?.(fd) === false ? "EMFILE" : undefined) ??
    (markValue === undefined ? undefined : setMark(libc, fd, markValue)) ??
    (userTimeoutMs === undefined ? undefined : setUserTimeout(libc, fd, userTimeoutMs)) ??
    (tos === undefined ? undefined : setTrafficClass(libc, fd, tos)) ??
    (from === undefined ? undefined : bind(libc, fd, from, familyOf(unmapped(to.address))))
  );
}

function bind(libc: Libc, fd: number, from: string, family: 4 | 6): string | undefined {
  const address = encodeSockaddr(libc, { address: from, port: 0 }, family);
  if (typeof address === "string") return address;
  // Where the kernel does not know it, bind chooses the port itself, which is as good.
  setBindWithoutPort(libc, fd);
  return libc.bind(fd, address, address.length) === 0 ? undefined : libc.errno();
}

function connect(libc: Libc, fd: number, to: Memory): string | undefined {
  if (libc.connect(fd, to, to.length) === 0) return undefined;
  const error = libc.errno();
  // An interrupted connect goes on in the background as one that does not block (connect(2), EINTR).
  return error === "EINPROGRESS" || error === "EINTR" ? undefined : error;
}
