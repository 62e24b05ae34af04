/** Errors of net/ as the library's: wrapped once, where it is known what was being tried. */

import { type ErrorCode, TunnelError } from "../errors.ts";
import { errorCode } from "../net/network.ts";

/** Rethrows what it is given under this code, or ERR_PERMISSION when that is what was lacking. */
export function failAs(code: ErrorCode): (error: unknown) => never {
  return (error) => {
    const forbidden = ["EPERM", "EACCES"].includes(errorCode(error));
    throw new TunnelError(forbidden ? "ERR_PERMISSION" : code, (error as Error).message, { cause: error });
  };
}
