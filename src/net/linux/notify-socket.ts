/**
 * Sends states to a service manager such as systemd, through its Unix socket (sd_notify(3)). Bun has no call
 * for it.
 */

import {
  AF_UNIX,
  CLOCK_MONOTONIC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
} from "./constants.ts";
import { type Libc, type Memory, memory, openLibc } from "./libc.ts";

/** Bytes of a path in a sockaddr_un, with or without a zero at its end (unix(7)). */
const PATH_BYTES = 108;

/**
 * Sends a state to the socket as one datagram, without waiting for room. RELOADING=1 gets the time that
 * systemd's `Type=notify-reload` needs.
 *
 * @param path an absolute path, or `@` and a name in the abstract namespace, as sd_notify(3) writes it.
 * @returns whether the datagram was sent.
 */
export function notifySocket(path: string, state: string): boolean {
  const libc = openLibc();
  const address = encodeUnix(path);
  if (libc === undefined || address === undefined) return false;
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const text = Buffer.from(state === "RELOADING=1" ? `${state}\nMONOTONIC_USEC=${monotonicUs(libc)}` : state);
  const bytes = memory(text.length);
  bytes.set(text);
  const sent =
    libc.connect(fd, address, address.length) === 0 &&
    libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) === bytes.length;
  libc.close(fd);
  return sent;
}

/** The time of CLOCK_MONOTONIC in microseconds. Bun's own clocks start at 0 with the process. */
function monotonicUs(libc: Libc): bigint {
  const time = memory(16);
  libc.clock_gettime(CLOCK_MONOTONIC, time);
  const view = new DataView(time.buffer);
  return view.getBigInt64(0, true) * 1_000_000n + view.getBigInt64(8, true) / 1000n;
}

/**
 * Encodes a sockaddr_un (unix(7)); undefined when `path` is neither a path nor an abstract name, or is too
 * long.
 */
function encodeUnix(path: string): Memory | undefined {
  const name = Buffer.from(path);
  if (!/^[/@]./.test(path) || name.length > PATH_BYTES) return undefined;
  const bytes = memory(2 + name.length);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, 2);
  if (path.startsWith("@")) bytes[2] = 0;
  return bytes;
}
