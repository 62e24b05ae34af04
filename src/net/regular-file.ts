/** Reads files that a user names, such as certificates and secrets. Never blocks, and limits the size. */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { errorCode, NetError } from "./network.ts";

/** The content of a file. */
export interface FileContent {
  /** The caller owns it. */
  readonly bytes: Uint8Array;
  /** The permission bits, as in `chmod` (POSIX, sys/stat.h). */
  readonly mode: number;
}

/**
 * With these flags a pipe opens without a writer, and a terminal does not become the controlling one
 * (open(2)).
 */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Reads a regular file.
 *
 * @param bytesMax a longer file is an error, and is not read to its end.
 * @throws NetError with the system's error code; EISDIR for a directory, EINVAL for a pipe or a device, ENXIO
 *   for a socket, EFBIG for a file that is too large. The message describes the problem and the remedy,
 *   without the file's name.
 */
export function readRegularFile(file: string, bytesMax: number): FileContent {
  let fd: number | undefined;
  try {
    fd = openSync(file, FLAGS);
    const status = fstatSync(fd);
    requireRegular(status);
    return { bytes: readUpTo(fd, bytesMax), mode: status.mode & 0o777 };
  } catch (error) {
    if (error instanceof NetError) throw error;
    const code = errorCode(error);
    throw new NetError(code, `${REMEDIES[code] ?? "it cannot be read"} (${code})`, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Advice for the most frequent errors. ENXIO: the file is a socket (open(2)). */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; give the path of one that exists",
  EACCES:
    "it may not be read; give the user that runs udptunnel access to it and to the directories above it",
  ENXIO: "it is a socket; give the path of a regular file",
};

function requireRegular(status: Stats): void {
  if (status.isFile()) return;
  if (status.isDirectory()) throw new NetError("EISDIR", "it is a directory; give the path of a file");
  if (status.isFIFO()) {
    const advice = "write its content to a regular file, and give the path of that";
    throw new NetError("EINVAL", `it is a pipe, as <(...) and often /dev/stdin are; ${advice}`);
  }
  throw new NetError("EINVAL", "it is a device; give the path of a regular file");
}

/** Ignores the size that the file reports: a file can grow, and files in /proc report 0. */
function readUpTo(fd: number, bytesMax: number): Uint8Array {
  const buffer = new Uint8Array(bytesMax + 1);
  let length = 0;
  while (length < buffer.length) {
    const more = readSync(fd, buffer, length, buffer.length - length, null);
    if (more === 0) return buffer.subarray(0, length);
    length += more;
  }
  buffer.fill(0); // it can hold a secret
  throw new NetError("EFBIG", `it is larger than ${bytesMax} bytes; give the path of the right file`);
}
