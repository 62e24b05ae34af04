/** The shared secret: its bytes can be used, and no message or inspector shows them. */

import { isUtf8 } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";
import { readRegularFile } from "../net/regular-file.ts";
import { quoted } from "./message-text.ts";
import { type ParseResult, parsed, parseError } from "./parse-result.ts";

/**
 * The shortest accepted secret. The secret is not stretched (no slow key derivation), and an attacker who has
 * recorded a handshake can test guesses offline. 16 random bytes cannot be guessed.
 */
const SECRET_BYTES_MIN = 16;
/**
 * The longest accepted secret. A wrong file, such as a disk or a log, is rejected before it is read whole.
 */
export const SECRET_BYTES_MAX = 4096;
/** The longest secret with a line break after it. */
const FILE_BYTES_MAX = SECRET_BYTES_MAX + 2;

/** The command uses the system's random bytes and prints one line of text, which also fits in a variable. */
const ADVICE = "openssl rand -base64 32 makes a good one";

const REDACTED = "[secret]";
const [LF, CR, SPACE] = [0x0a, 0x0d, 0x20];

/** The permission bits of the file's group and of all other users. */
const NOT_OWNER = 0o077;

/** A file that users other than its owner may read or write. */
export interface ExposedFile {
  readonly file: string;
  /** The permission bits, as in `chmod` (POSIX, sys/stat.h). */
  readonly mode: number;
}

/** A secret that both ends know. Printed as text, as JSON or by an inspector, it shows only a placeholder. */
export class Secret {
  readonly #bytes: Uint8Array;
  /** Set when the secret came from a file that other users may read. */
  readonly exposed: ExposedFile | undefined;

  private constructor(bytes: Uint8Array, exposed: ExposedFile | undefined) {
    this.#bytes = bytes;
    this.exposed = exposed;
  }

  /**
   * Copies the bytes; text is UTF-8. One line break (LF or CR LF) at the end is removed, because editors and
   * `echo` add it. A problem when the secret, without white space at the ends of text, is shorter than {@link
   * SECRET_BYTES_MIN}, or when it is longer than {@link SECRET_BYTES_MAX}.
   */
  static parse(given: Uint8Array | string, exposed?: ExposedFile): ParseResult<Secret> {
    const bytes = withoutLineBreak(typeof given === "string" ? new TextEncoder().encode(given) : given);
    const length = effectiveLength(bytes);
    if (length < SECRET_BYTES_MIN) {
      const counted = length < bytes.length ? ", not counting white space at its ends" : "";
      return parseError(`has ${length} bytes${counted}; give at least ${SECRET_BYTES_MIN} (${ADVICE})`);
    }
    if (bytes.length > SECRET_BYTES_MAX) {
      return parseError(`is longer than ${SECRET_BYTES_MAX} bytes; give a shorter one`);
    }
    return parsed(new Secret(bytes.slice(), exposed));
  }

  /** HMAC-SHA-256 (RFC 2104, FIPS 180-4) of the concatenated parts, with this secret as the key: 32 bytes. */
  sign(...parts: readonly Uint8Array[]): Uint8Array {
    const hmac = createHmac("sha256", this.#bytes);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }

  /** Compares in constant time. */
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

/** Reads a secret from a file. A problem names the file and does not quote its content. */
export function readSecretFile(file: string): ParseResult<Secret> {
  try {
    const { bytes, mode } = readRegularFile(file, FILE_BYTES_MAX);
    const exposed = (mode & NOT_OWNER) !== 0 ? { file, mode } : undefined;
    const result = Secret.parse(bytes, exposed);
    bytes.fill(0);
    return "problem" in result ? parseError(`the secret in ${quoted(file)} ${result.problem}`) : result;
  } catch (error) {
    return parseError(`${quoted(file)}: ${(error as Error).message}`);
  }
}

function withoutLineBreak(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== LF) return bytes;
  return bytes.subarray(0, bytes.at(-2) === CR ? -2 : -1);
}

/**
 * The number of bytes that make the secret hard to guess. In text, white space and control characters at the
 * ends do not count. In other bytes all count, because one in ten random keys of 16 bytes begins or ends with
 * such a byte.
 */
function effectiveLength(bytes: Uint8Array): number {
  if (!isUtf8(bytes)) return bytes.length;
  const first = bytes.findIndex((byte) => byte > SPACE);
  return first < 0 ? 0 : bytes.findLastIndex((byte) => byte > SPACE) + 1 - first;
}
