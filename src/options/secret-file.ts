/** Reading a secret from a file, a pipe or a device. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { errorCode } from "../net/network.ts";
import { quoted, type Reading, wrong } from "./reading.ts";
import { SECRET_BYTES_MAX, Secret } from "./secret.ts";

/** The permission bits of everybody but the owner. */
const OTHERS = 0o077;
/** The secret, a line break after it, and one byte more that tells that it is too long. */
const READ_BYTES = SECRET_BYTES_MAX + 3;

/** The secret in a file, of which at most a few thousand bytes are read; or what is wrong, with the file's name only. */
export function readSecretFile(file: string): Reading<Secret> {
  const buffer = new Uint8Array(READ_BYTES);
  try {
    const fd = openSync(file, "r");
    try {
      const status = fstatSync(fd);
      const mode = status.mode & 0o777;
      const exposed = status.isFile() && (mode & OTHERS) !== 0 ? { file, mode } : undefined;
      const reading = Secret.read(buffer.subarray(0, readUpTo(fd, buffer)), exposed);
      return "problem" in reading ? wrong(`the secret in ${quoted(file)} ${reading.problem}`) : reading;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return wrong(`cannot read ${quoted(file)}: ${errorCode(error)}`);
  } finally {
    buffer.fill(0);
  }
}

/** A pipe hands out what it has in pieces. @returns how much was read. */
function readUpTo(fd: number, buffer: Uint8Array): number {
  let length = 0;
  for (;;) {
    const more = readSync(fd, buffer, length, buffer.length - length, null);
    length += more;
    if (more === 0 || length === buffer.length) return length;
  }
}
