import { writeSync } from "node:fs";

/** Writes one line to stderr at once: what is said last must not be lost in a buffer when the process ends. */
export function say(line: string): void {
  try {
    writeSync(2, `udptunnel: ${line}\n`);
  } catch {
    // Nobody reads stderr any more (EPIPE, or a full pipe without a reader): the tunnel goes on.
  }
}
