/**
 * System calls of the generator and the sink. Both are separate programs that may block. They use the
 * kernel's batch calls instead of Bun's sockets, because an instrument must be cheaper than the measured
 * program. Only for Linux on a little-endian 64-bit machine.
 */

import { dlopen, ptr, read } from "bun:ffi";
import { type Endpoint, familyOf } from "../../src/net/endpoint.ts";
import * as c from "../../src/net/linux/constants.ts";
import { errnoName, type Libc, type Memory, memory, openLibc } from "../../src/net/linux/libc.ts";
import { encodeSockaddr } from "../../src/net/linux/sockaddr.ts";
import { setNumber, setReceiveBuffer, setSendBuffer } from "../../src/net/linux/socket-options.ts";

/** recvmmsg(2): block only until the first datagram arrives. */
export const MSG_WAITFORONE = 0x10000;
const SO_REUSEADDR = 2;
const SO_RCVTIMEO = 20;
const CLOCK_MONOTONIC = 1;
/** Requested for every application socket, so that any loss is in the relay or before it. */
const BUFFER_BYTES = 32 << 20;

const SYMBOLS = {
  recvmmsg: { args: ["i32", "u64", "u32", "i32", "u64"], returns: "i32" },
  sendmmsg: { args: ["i32", "u64", "u32", "i32"], returns: "i32" },
  clock_gettime: { args: ["i32", "u64"], returns: "i32" },
  usleep: { args: ["u32"], returns: "i32" },
  memcmp: { args: ["u64", "u64", "u64"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

/** The batch calls, with addresses as numbers. The caller must keep a reference to the memory. */
export interface Kernel {
  readonly libc: Libc;
  recvmmsg(fd: number, messages: number, count: number, flags: number): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  /** Whether `bytes` bytes at two addresses are the same. */
  same(a: number, b: number, bytes: number): boolean;
  sleep(microseconds: number): void;
  /** The errno name of the last failed call. */
  errno(): string;
  /**
   * CLOCK_MONOTONIC in nanoseconds: the same for every process of this machine, exact for 104 days after
   * boot.
   */
  now(): number;
}

/** @throws Error on other systems, or without a C library. */
export function openKernel(): Kernel {
  const libc = openLibc();
  if (libc === undefined) throw new Error("the load generator and the sink need Linux on x64 or arm64");
  const calls = dlopenAny(["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"]);
  const location = calls.__errno_location();
  if (location === null) throw new Error("no errno");
  const clock = memory(16);
  const clockAt = ptr(clock.buffer);
  const clockView = new Int32Array(clock.buffer);
  return {
    libc,
    recvmmsg: (fd, messages, count, flags) => calls.recvmmsg(fd, messages, count, flags, 0),
    sendmmsg: (fd, messages, count, flags) => calls.sendmmsg(fd, messages, count, flags),
    same: (a, b, bytes) => calls.memcmp(a, b, bytes) === 0,
    sleep: (microseconds) => void calls.usleep(microseconds),
    errno: () => errnoName(read.i32(location, 0)),
    now: () => {
      calls.clock_gettime(CLOCK_MONOTONIC, clockAt);
      // The low words of seconds and nanoseconds, little-endian. A BigInt would be garbage in every call: at
      // 20,000/s without a relay, p99.5 is 0.3 ms without such garbage in generator and sink, 2.2 ms with it.
      return (clockView[0] as number) * 1e9 + (clockView[2] as number);
    },
  };
}

/** Options of an application socket. */
export interface SocketOptions {
  bind: Endpoint;
  /** Connects the socket: sending is cheaper, and it receives from this endpoint only. */
  connect?: Endpoint | undefined;
  /** The timeout of a blocking receive. Without it, receiving never blocks. */
  receiveTimeoutMs?: number | undefined;
}

/**
 * Opens a UDP socket with SO_REUSEADDR. The original needs it on every socket of one host, because
 * application and relay have the same port.
 *
 * @returns its descriptor.
 * @throws Error with the address when it cannot be bound.
 */
export function openSocket({ libc }: Kernel, { bind, connect, receiveTimeoutMs }: SocketOptions): number {
  const family = familyOf(bind.address);
  const block = receiveTimeoutMs === undefined ? c.SOCK_NONBLOCK : 0;
  const fd = libc.socket(family === 6 ? c.AF_INET6 : c.AF_INET, c.SOCK_DGRAM | c.SOCK_CLOEXEC | block, 0);
  if (fd < 0) throw new Error(`cannot open a UDP socket: ${libc.errno()}`);
  setNumber(libc, fd, c.SOL_SOCKET, SO_REUSEADDR, 1);
  setReceiveBuffer(libc, fd, BUFFER_BYTES);
  setSendBuffer(libc, fd, BUFFER_BYTES);
  const local = sockaddr(libc, bind, family);
  if (libc.bind(fd, local, local.length) !== 0) {
    const code = libc.errno();
    libc.close(fd);
    throw new Error(`cannot bind UDP ${bind.address}:${bind.port}: ${code}`);
  }
  if (connect !== undefined) {
    const remote = sockaddr(libc, connect, family);
    if (libc.connect(fd, remote, remote.length) !== 0) {
      throw new Error(`cannot reach UDP ${connect.address}:${connect.port}: ${libc.errno()}`);
    }
  }
  if (receiveTimeoutMs !== undefined) {
    const timeout = memory(16);
    const view = new BigInt64Array(timeout.buffer);
    view[0] = BigInt(Math.floor(receiveTimeoutMs / 1000));
    view[1] = BigInt((receiveTimeoutMs % 1000) * 1000);
    libc.setsockopt(fd, c.SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
  }
  return fd;
}

function sockaddr(libc: Libc, endpoint: Endpoint, family: 4 | 6): Memory {
  const encoded = encodeSockaddr(libc, endpoint, family);
  if (typeof encoded === "string")
    throw new Error(`${endpoint.address} cannot be used as an address: ${encoded}`);
  return encoded;
}

function dlopenAny(names: string[]) {
  let reason: unknown;
  for (const name of names) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      reason = error;
    }
  }
  throw new Error("no C library found", { cause: reason });
}
