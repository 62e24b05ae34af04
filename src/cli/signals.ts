/** The signals that concern the process as a whole. */

import { constants } from "node:os";

/**
 * `bun run` forwards signals to the program, so that a Ctrl-C at a terminal arrives twice: only a second signal that
 * comes later than this is meant as one.
 */
const SAME_SIGNAL_MS = 500;

/**
 * SIGINT and SIGTERM: the first closes what runs, a second one ends the process.
 *
 * @param onStop called at the first, before anything is closed.
 */
export function closeOnSignals(running: { close(): Promise<void> }, onStop: () => void): void {
  let firstAt: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        onStop();
        void running.close();
      } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
        process.exit(128 + constants.signals[signal]);
      }
    });
  }
}

/**
 * SIGHUP: the configuration and the certificates are read again. Without either the signal is left alone: a closed terminal ends the program, unless it was
 * started by `nohup`.
 */
export function reloadOnSignal(reload: () => void): void {
  process.on("SIGHUP", reload);
}
