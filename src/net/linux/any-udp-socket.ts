import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * A UDP socket of a family that this process may use (systemd, RestrictAddressFamilies=); -1 when none can be opened.
 */
export function anyUdpSocket(libc: Libc): number {
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 || libc.errno() !== "EAFNOSUPPORT") return fd;
  return libc.socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
