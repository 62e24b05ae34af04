/**
 * Calls of the C library that Bun does not offer. No other file imports `bun:ffi`.
 *
 * Memory for a call must be an array over an ArrayBuffer that was created first. Bun moves small typed arrays
 * that were created without one, and an address taken before is then invalid (oven-sh/bun #32054).
 */

import { dlopen, ptr, read } from "bun:ffi";
import { constants, endianness } from "node:os";
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "./constants.ts";

/** Bytes that the kernel reads or writes. Create them with {@link memory}. */
export type Memory = Uint8Array<ArrayBuffer>;

/** Zeroed memory whose address does not change while it is referenced. */
export function memory(bytes: number): Memory {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/**
 * System calls as sections 2 and 3 of the manual describe them. Each returns -1 when it fails; {@link errno}
 * then has the error code. Memory is borrowed until the call returns, except memory whose address is stored
 * in other memory.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Memory, addressBytes: number): number;
  bind(fd: number, address: Memory, addressBytes: number): number;
  close(fd: number): number;
  /** With F_DUPFD_CLOEXEC `value` is the lowest number that the new descriptor may have. */
  fcntl(fd: number, command: number, value: number): number;
  /**
   * Makes `to` refer to the open file of `from`. The flag is O_CLOEXEC, which has the value of SOCK_CLOEXEC.
   */
  dup3(from: number, to: number, flags: number): number;
  setsockopt(fd: number, level: number, option: number, value: Memory, valueBytes: number): number;
  getsockopt(fd: number, level: number, option: number, value: Memory, valueBytes: Memory): number;
  ioctl(fd: number, request: number, value: Memory): number;
  /** At most 2 GiB at once. */
  send(fd: number, bytes: Memory, count: number, flags: number): number;
  sendmmsg(fd: number, messages: Memory, count: number, flags: number): number;
  /** At most `count` messages; `timeout` is null. */
  recvmmsg(fd: number, messages: Memory, count: number, flags: number, timeout: null): number;
  eventfd(initial: number, flags: number): number;
  /** Writes a struct timespec: seconds and nanoseconds, 64 bits each. */
  clock_gettime(clock: number, time: Memory): number;
  /**
   * Writes the name of an interface, at most 16 bytes with a zero byte at the end; null when the index does
   * not exist.
   */
  if_indextoname(index: number, name: Memory): unknown;
  /** `name` ends with a zero byte. @returns 0 when no interface has this name. */
  if_nametoindex(name: Memory): number;
  /** The errno name of the last failed call, such as EAGAIN. Read it before any other call. */
  errno(): string;
  /** The address of the bytes of `buffer`, valid while the caller keeps a reference to the buffer. */
  addressOf(buffer: ArrayBufferLike): number;
}

// The GNU C library, then musl: its link on Alpine, and its loader, which is the library itself.
const LIBRARIES = ["libc.so.6", `libc.musl-${machine()}.so.1`, `ld-musl-${machine()}.so.1`];

const SYMBOLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  // It returns an ssize_t. Its lower half is enough for the bytes of one datagram.
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  sendmmsg: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
  recvmmsg: { args: ["i32", "ptr", "u32", "i32", "ptr"], returns: "i32" },
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  if_indextoname: { args: ["u32", "ptr"], returns: "ptr" },
  if_nametoindex: { args: ["ptr"], returns: "u32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

/**
 * Opens the C library of this process. @returns undefined when no library can be opened, or when the memory
 * layouts in this folder do not apply: they are for Linux on a little-endian 64-bit machine.
 */
export function openLibc(): Libc | undefined {
  const supported = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  if (!supported || endianness() !== "LE") return undefined;
  for (const name of LIBRARIES) {
    try {
      return bound(dlopen(name, SYMBOLS).symbols);
    } catch {
      // The C library of this system has another name, or dlopen is not allowed.
    }
  }
  return undefined;
}

function bound(symbols: ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"]): Libc {
  const { __errno_location: errnoLocation, ...calls } = symbols;
  const location = errnoLocation();
  if (location === null) throw new Error("no errno");
  return {
    ...calls,
    errno: () => errnoName(read.i32(location, 0)),
    addressOf: (buffer) => ptr(buffer),
  };
}

const NAMES = new Map<number, string>();
// Two names can share a number (EAGAIN and EWOULDBLOCK, EOPNOTSUPP and ENOTSUP). The names of the man pages
// are used.
for (const [name, number] of Object.entries(constants.errno)) {
  if (name !== "EWOULDBLOCK" && name !== "ENOTSUP") NAMES.set(number, name);
}

/**
 * The errno name of a number (errno(3)): 11 is EAGAIN. A number without a name becomes `E` and the number.
 */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `E${number}`;
}

function machine(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

/**
 * Opens a UDP socket of a family that this process may use: systemd's RestrictAddressFamilies= may forbid
 * one. @returns -1 when no socket can be opened.
 */
export function anyUdpSocket(libc: Libc): number {
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 || libc.errno() !== "EAFNOSUPPORT") return fd;
  return libc.socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
