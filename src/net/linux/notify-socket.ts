/** One datagram to a Unix socket, for which Bun has no call: how a service tells whoever started it that it is ready. */

import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM } from "./constants.ts";
import { type Memory, memory, openLibc } from "./libc.ts";

/** Bytes of a path in a sockaddr_un, with or without a zero at its end (unix(7)). */
const PATH_BYTES = 108;

/**
 * Sends `text` to the socket as one datagram, without waiting for room.
 *
 * @param path an absolute path, or `@` and a name in the abstract namespace, as sd_notify(3) writes it.
 * @returns false when it could not be sent, for whatever reason.
 */
export function notifySocket(path: string, text: string): boolean {
  const libc = openLibc();
  const address = encodeUnix(path);
  if (libc === undefined || address === undefined) return false;
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bytes = memory(Buffer.byteLength(text));
  bytes.set(Buffer.from(text));
  const sent =
    libc.connect(fd, address, address.length) === 0 &&
    libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) === bytes.length;
  libc.close(fd);
  return sent;
}

/** A sockaddr_un (unix(7)); undefined for what is neither a path nor an abstract name, or is too long. */
function encodeUnix(path: string): Memory | undefined {
  const name = Buffer.from(path);
  if (!/^[/@]./.test(path) || name.length > PATH_BYTES) return undefined;
  const bytes = memory(2 + name.length);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, 2);
  if (path.startsWith("@")) bytes[2] = 0;
  return bytes;
}
