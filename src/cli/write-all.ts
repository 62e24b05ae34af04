/** Writes to a pipe, a terminal or a file without blocking the event loop. */

import { write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode } from "../net/network.ts";

/** The wait before the next attempt, when a process has made the descriptor non-blocking and it is full. */
const RETRY_MS = 20;

/**
 * Writes all of `text`. The write runs in Bun's thread pool, which has at least two threads: a pipe that is
 * not read blocks one of them and nothing else. O_NONBLOCK is not an alternative: it would also apply to
 * every process that shares the pipe or the terminal.
 *
 * @throws the system's error: EPIPE, ENOSPC, EIO.
 */
export async function writeAll(fd: number, text: string): Promise<void> {
  let rest: Uint8Array = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(await writeSome(fd, rest));
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") throw error;
      await sleep(RETRY_MS);
    }
  }
}

function writeSome(fd: number, bytes: Uint8Array): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  write(fd, bytes, 0, bytes.length, null, (error, written) => (error ? reject(error) : resolve(written)));
  return promise;
}
