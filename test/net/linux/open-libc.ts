import { type Libc, openLibc } from "../../../src/net/linux/libc.ts";

/** The C library, for tests that are skipped where there is none. */
export const libc = openLibc() as Libc;
export const noLibc = libc === undefined;
