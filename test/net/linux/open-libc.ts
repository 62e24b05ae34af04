import { type Libc, openLibc } from "../../../src/net/linux/libc.ts";

/** The C library, for tests that are skipped without it. */
export const libc = openLibc() as Libc;
export const noLibc = libc === undefined;

/** The C library, with a set of the sockets that it has opened and not closed. */
export function watchedLibc(): { libc: Libc; open: Set<number> } {
  const open = new Set<number>();
  const watched: Libc = {
    ...libc,
    socket(...call) {
      const fd = libc.socket(...call);
      if (fd >= 0) open.add(fd);
      return fd;
    },
    close(fd) {
      open.delete(fd);
      return libc.close(fd);
    },
  };
  return { libc: watched, open };
}
