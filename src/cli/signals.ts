/** SIGINT and SIGTERM: the first closes the tunnel, a second one ends the process. */

import { constants } from "node:os";
import type { Tunnel } from "../tunnel/tunnel.ts";

/**
 * `bun run` forwards signals to the program, so that a Ctrl-C at a terminal arrives twice: only a second signal that
 * comes later than this is meant as one.
 */
const SAME_SIGNAL_MS = 500;

/** @param onStop called at the first signal, before the tunnel closes. */
export function stopOnSignals(tunnel: Tunnel, onStop: () => void): void {
  let firstAt: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        onStop();
        void tunnel.close();
      } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
}
