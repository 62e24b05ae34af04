/**
 * Socket options that Bun does not offer. Every `set...` returns the errno name of the error, or undefined.
 *
 * A dual-stack socket has separate options for IPv4 and IPv6. Both are set.
 */

import * as c from "./constants.ts";
import { type Libc, type Memory, memory } from "./libc.ts";

/**
 * Whether the socket reports ICMP errors that its datagrams cause (ip(7), IP_RECVERR). Bun switches this on:
 * a target that rejects datagrams then makes the next send to another target fail.
 */
export function setReceiveErrors(libc: Libc, fd: number, on: boolean): string | undefined {
  return setForFamily(libc, fd, c.IP_RECVERR, c.IPV6_RECVERR, on ? 1 : 0);
}

/**
 * Stops the kernel from describing each received datagram (destination address, traffic class).
 *
 * @param local whether the kernel still reports the destination address.
 */
export function setReceiveDetails(libc: Libc, fd: number, local: boolean): string | undefined {
  return (
    setForFamily(libc, fd, c.IP_PKTINFO, c.IPV6_RECVPKTINFO, local ? 1 : 0) ??
    setForFamily(libc, fd, c.IP_RECVTOS, c.IPV6_RECVTCLASS, 0)
  );
}

/**
 * The traffic class byte of packets that the socket sends (RFC 2474).
 *
 * @param value 0 to 255. For TCP the kernel sets the two low bits (ECN) itself.
 */
export function setTrafficClass(libc: Libc, fd: number, value: number): string | undefined {
  return setForFamily(libc, fd, c.IP_TOS, c.IPV6_TCLASS, value);
}

/**
 * The hop limit (TTL) of multicast datagrams.
 *
 * @param hops 0 (this host) to 255. Bun's call rejects 0.
 */
export function setMulticastHops(libc: Libc, fd: number, hops: number): string | undefined {
  return setForFamily(libc, fd, c.IP_MULTICAST_TTL, c.IPV6_MULTICAST_HOPS, hops);
}

/** Makes connect(2) choose the local port, not bind(2): connect finds more free ports (ip(7), Linux 4.2). */
export function setBindWithoutPort(libc: Libc, fd: number): string | undefined {
  return setNumber(libc, fd, c.IPPROTO_IP, c.IP_BIND_ADDRESS_NO_PORT, 1);
}

/** The firewall mark of packets that the socket sends (socket(7), SO_MARK): EPERM without CAP_NET_ADMIN. */
export function setMark(libc: Libc, fd: number, mark: number): string | undefined {
  return setNumber(libc, fd, c.SOL_SOCKET, c.SO_MARK, mark);
}

/**
 * How long sent data may stay unacknowledged, or a connection attempt unanswered, before the connection fails
 * with ETIMEDOUT (tcp(7), TCP_USER_TIMEOUT). It also ends a connection whose peer keeps its receive window
 * closed for this time.
 *
 * @param timeoutMs milliseconds; 0 is the system's default.
 */
export function setUserTimeout(libc: Libc, fd: number, timeoutMs: number): string | undefined {
  return setNumber(libc, fd, c.IPPROTO_TCP, c.TCP_USER_TIMEOUT, timeoutMs);
}

/**
 * When TCP probes a silent peer (tcp(7)). Times are whole seconds, 1 to 32,767; `count` is 1 to 127 probes.
 */
export interface Keepalive {
  readonly idleS: number;
  readonly intervalS: number;
  readonly count: number;
}

/** Makes TCP probe a silent peer. */
export function setKeepalive(libc: Libc, fd: number, keepalive: Keepalive): string | undefined {
  return (
    setNumber(libc, fd, c.IPPROTO_TCP, c.TCP_KEEPIDLE, keepalive.idleS) ??
    setNumber(libc, fd, c.IPPROTO_TCP, c.TCP_KEEPINTVL, keepalive.intervalS) ??
    setNumber(libc, fd, c.IPPROTO_TCP, c.TCP_KEEPCNT, keepalive.count) ??
    setNumber(libc, fd, c.SOL_SOCKET, c.SO_KEEPALIVE, 1)
  );
}

/**
 * Requests a receive buffer size. With CAP_NET_ADMIN it may exceed the limit of the system.
 *
 * @param bytes 0 to 1,073,741,823 bytes of payload.
 * @returns the granted size in the same unit, which is half of the size that the kernel reports (socket(7));
 * undefined when `fd` is not a socket.
 */
export function setReceiveBuffer(libc: Libc, fd: number, bytes: number): number | undefined {
  return setBuffer(libc, fd, c.SO_RCVBUFFORCE, c.SO_RCVBUF, bytes);
}

/** Requests a send buffer size; otherwise like {@link setReceiveBuffer}. */
export function setSendBuffer(libc: Libc, fd: number, bytes: number): number | undefined {
  return setBuffer(libc, fd, c.SO_SNDBUFFORCE, c.SO_SNDBUF, bytes);
}

/**
 * The number of datagrams that the kernel has dropped at this socket because its receive buffer was full,
 * modulo 2^32 (linux/sock_diag.h). Undefined when the kernel does not report it (before Linux 4.12).
 */
export function kernelDrops(libc: Libc, fd: number): number | undefined {
  const value = memory(4 * c.SK_MEMINFO_VARS);
  const length = lengthOf(value.length);
  if (libc.getsockopt(fd, c.SOL_SOCKET, c.SO_MEMINFO, value, length) !== 0) return undefined;
  if (numberIn(length) < value.length) return undefined;
  return new DataView(value.buffer).getUint32(4 * c.SK_MEMINFO_DROPS, true);
}

/** Sets an option of type `int`. @returns the errno name of the error, or undefined. */
export function setNumber(
  libc: Libc,
  fd: number,
  level: number,
  option: number,
  value: number,
): string | undefined {
  return libc.setsockopt(fd, level, option, lengthOf(value), 4) === 0 ? undefined : libc.errno();
}

/** Reads an option of type `int`. @returns undefined on an error; `libc.errno()` then has its code. */
export function getNumber(libc: Libc, fd: number, level: number, option: number): number | undefined {
  const value = memory(4);
  return libc.getsockopt(fd, level, option, value, lengthOf(4)) === 0 ? numberIn(value) : undefined;
}

function setForFamily(
  libc: Libc,
  fd: number,
  option4: number,
  option6: number,
  value: number,
): string | undefined {
  if (getNumber(libc, fd, c.SOL_SOCKET, c.SO_DOMAIN) === c.AF_INET6) {
    const refusal = setNumber(libc, fd, c.IPPROTO_IPV6, option6, value);
    if (refusal !== undefined) return refusal;
  }
  return setNumber(libc, fd, c.IPPROTO_IP, option4, value);
}

function setBuffer(libc: Libc, fd: number, force: number, plain: number, bytes: number): number | undefined {
  if (setNumber(libc, fd, c.SOL_SOCKET, force, bytes) !== undefined) {
    setNumber(libc, fd, c.SOL_SOCKET, plain, bytes);
  }
  const reported = getNumber(libc, fd, c.SOL_SOCKET, plain);
  return reported === undefined ? undefined : reported / 2;
}

function lengthOf(value: number): Memory {
  const bytes = memory(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

function numberIn(bytes: Memory): number {
  return new DataView(bytes.buffer).getInt32(0, true);
}
