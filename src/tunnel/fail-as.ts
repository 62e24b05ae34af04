/** Errors of net/ as the library's: wrapped once, where it is known what was being tried. */

import { type ErrorCode, TunnelError } from "../errors.ts";
import { errorCode, networkFailure } from "../net/network.ts";

/**
 * Rethrows a `NetError` under this code, or as ERR_PERMISSION when a permission was lacking. Any other error is
 * rethrown as it is.
 */
export function wrapNetError(code: ErrorCode): (error: unknown) => never {
  return (error) => {
    const { message } = networkFailure(error);
    const forbidden = ["EPERM", "EACCES"].includes(errorCode(error));
    throw new TunnelError(forbidden ? "ERR_PERMISSION" : code, message, { cause: error });
  };
}
