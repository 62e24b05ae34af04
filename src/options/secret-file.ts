/** Reading a secret from a file. */

import { readRegularFile } from "../net/regular-file.ts";
import { type ParseResult, parseError, quoted } from "./parse-result.ts";
import { SECRET_BYTES_MAX, Secret } from "./secret.ts";

/** The permission bits of everybody but the owner. */
const OTHERS = 0o077;
/** The longest secret, and a line break after it. */
const FILE_BYTES_MAX = SECRET_BYTES_MAX + 2;

/** The secret in a file; or a problem, which names the file and does not quote it. */
export function readSecretFile(file: string): ParseResult<Secret> {
  try {
    const { bytes, mode } = readRegularFile(file, FILE_BYTES_MAX);
    const exposed = (mode & OTHERS) !== 0 ? { file, mode } : undefined;
    const reading = Secret.read(bytes, exposed);
    bytes.fill(0);
    return "problem" in reading ? parseError(`the secret in ${quoted(file)} ${reading.problem}`) : reading;
  } catch (error) {
    return parseError(`${quoted(file)}: ${(error as Error).message}`);
  }
}
