/** SIGINT and SIGTERM: the first closes the tunnel, a second one ends the process. */

import { constants } from "node:os";
import type { Tunnel } from "../tunnel/tunnel.ts";

/**
 * `bun run` forwards signals to the program, so that a Ctrl-C at a terminal arrives twice: only a second signal that
 * comes later than this is meant as one.
 */
const SAME_SIGNAL_MS = 500;

export function stopOnSignals(tunnel: Tunnel): void {
  let firstAt: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        void tunnel.close();
      } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
}

/** SIGHUP: the certificates are read again. */
export function reloadOnHangUp(tunnel: Tunnel): void {
  process.on("SIGHUP", () => tunnel.reloadCertificates());
}
