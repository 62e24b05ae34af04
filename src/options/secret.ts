/** The shared secret: bytes that can be used and never seen. */

import { isUtf8 } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";
import { type ParseResult, parseError, read } from "./parse-result.ts";

/**
 * The shortest secret that is taken. It is not stretched, and whoever records a handshake can try secrets on it without
 * asking anybody: 16 random bytes are beyond trying.
 */
export const SECRET_BYTES_MIN = 16;
/** The longest, so that a wrong file (a disk, a log) is noticed rather than read. */
export const SECRET_BYTES_MAX = 4096;

/** It uses the system's random bytes, and prints one line of text, which fits in a variable, too. */
const ADVICE = "openssl rand -base64 32 makes a good one";

const REDACTED = "[secret]";
const [LF, CR, SPACE] = [0x0a, 0x0d, 0x20];

/** A file that others than its owner may read or write. */
export interface ExposedFile {
  readonly file: string;
  /** The permission bits, as in `chmod` (POSIX, sys/stat.h). */
  readonly mode: number;
}

/** A secret both ends know. However it is printed, as text, JSON or by an inspector, only a placeholder shows. */
export class Secret {
  readonly #bytes: Uint8Array;
  /** Set when it came from a file that others may read. */
  readonly exposed: ExposedFile | undefined;

  private constructor(bytes: Uint8Array, exposed: ExposedFile | undefined) {
    this.#bytes = bytes;
    this.exposed = exposed;
  }

  /**
   * The secret in these bytes, copied, less one line break (LF or CR LF) at the end, which editors and `echo` add; text
   * counts as UTF-8. A problem when it is shorter than {@link SECRET_BYTES_MIN}, without white space at the ends of
   * text, or longer than {@link SECRET_BYTES_MAX}.
   */
  static read(given: Uint8Array | string, exposed?: ExposedFile): ParseResult<Secret> {
    const bytes = withoutLineBreak(typeof given === "string" ? new TextEncoder().encode(given) : given);
    const length = lengthThatCounts(bytes);
    if (length < SECRET_BYTES_MIN) {
      const beside = length < bytes.length ? " beside white space at its ends" : "";
      return parseError(`has ${length} bytes${beside}; give at least ${SECRET_BYTES_MIN} (${ADVICE})`);
    }
    if (bytes.length > SECRET_BYTES_MAX) {
      return parseError(`is longer than ${SECRET_BYTES_MAX} bytes; give a shorter one`);
    }
    return read(new Secret(bytes.slice(), exposed));
  }

  /** HMAC-SHA-256 (RFC 2104, FIPS 180-4) of the parts, one after the other, under this secret: 32 bytes. */
  sign(...parts: readonly Uint8Array[]): Uint8Array {
    const hmac = createHmac("sha256", this.#bytes);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }

  /** Whether the other is the same secret. */
  equals(other: unknown): boolean {
    return other instanceof Secret && timingSafeEqual(this.sign(), other.sign());
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

function withoutLineBreak(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== LF) return bytes;
  return bytes.subarray(0, bytes.at(-2) === CR ? -2 : -1);
}

/**
 * The number of bytes that make it hard to guess. White space and control characters at the ends of text do not count.
 * Of bytes that are not text all count: one in ten random keys of 16 bytes begins or ends with such a byte.
 */
function lengthThatCounts(bytes: Uint8Array): number {
  if (!isUtf8(bytes)) return bytes.length;
  const first = bytes.findIndex((byte) => byte > SPACE);
  return first < 0 ? 0 : bytes.findLastIndex((byte) => byte > SPACE) + 1 - first;
}
