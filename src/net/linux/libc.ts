/**
 * The C library's calls that Bun has no words for, and the only place that says `bun:ffi`.
 *
 * Memory handed to a call is an array over an ArrayBuffer that was made first: Bun moves small typed arrays that were
 * made without one, and an address taken before then points into nothing (oven-sh/bun #32054).
 */

import { dlopen, ptr, read } from "bun:ffi";
import { constants, endianness } from "node:os";
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "./constants.ts";

/** Bytes the kernel reads or writes. Make them with {@link memory}. */
export type Memory = Uint8Array<ArrayBuffer>;

/** Zeroed memory whose address does not change while it is referenced. */
export function memory(bytes: number): Memory {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/**
 * System calls as sections 2 and 3 of the manual describe them. Each returns -1 when it fails; {@link errno} then says
 * why. Memory is borrowed until return, except what is reached through addresses written into other memory.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Memory, addressBytes: number): number;
  bind(fd: number, address: Memory, addressBytes: number): number;
  close(fd: number): number;
  /** With F_DUPFD_CLOEXEC the value is the lowest number the new descriptor may have. */
  fcntl(fd: number, command: number, value: number): number;
  /** `to` then leads where `from` does. The flag is O_CLOEXEC, which has SOCK_CLOEXEC's value. */
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
  /** Writes the name of an interface, at most 16 bytes with a zero byte at its end; null when there is none. */
  if_indextoname(index: number, name: Memory): unknown;
  /** 0 when no interface has this name, which ends with a zero byte. */
  if_nametoindex(name: Memory): number;
  /** The name of the error the last failed call met, such as EAGAIN. Ask before any other call. */
  errno(): string;
  /** Where the bytes of `buffer` are. Holds for as long as the caller keeps the buffer referenced. */
  addressOf(buffer: ArrayBufferLike): number;
}

// The GNU C library's name, then those of musl: its link on Alpine, and its loader, which is the library itself.
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
  // Really an ssize_t, of which the lower half is enough for a count of bytes that fits one datagram.
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
 * The C library of this process, or undefined where the layouts in this folder do not hold (anything but Linux on a
 * little-endian 64-bit machine) or no library can be opened.
 */
export function openLibc(): Libc | undefined {
  const known = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  if (!known || endianness() !== "LE") return undefined;
  for (const name of LIBRARIES) {
    try {
      return bound(dlopen(name, SYMBOLS).symbols);
    } catch {
      // This system's C library has another name, or dlopen is not allowed.
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
// Where two names share a number (EAGAIN and EWOULDBLOCK, EOPNOTSUPP and ENOTSUP) the one man pages use stands.
for (const [name, number] of Object.entries(constants.errno)) {
  if (name !== "EWOULDBLOCK" && name !== "ENOTSUP") NAMES.set(number, name);
}

/** The name of an errno number as errno(3) has it: 11 is EAGAIN. A number without a name becomes `E` and the number. */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `E${number}`;
}

function machine(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

/**
 * A UDP socket of a family that this process may use (systemd, RestrictAddressFamilies=); -1 when none can be opened.
 */
export function anyUdpSocket(libc: Libc): number {
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 || libc.errno() !== "EAFNOSUPPORT") return fd;
  return libc.socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
