/** The two ways to close a TCP connection: reset it at once, or close it gracefully, without loss of data. */

import type { Clock } from "./clock.ts";
import type { StreamPort } from "./stream-port.ts";

/**
 * The time that a peer has to read the remaining data and close its side. After that the connection is reset.
 */
const LINGER_MS = 1000;

/** Resets a connection. Data that is not acknowledged may be lost. */
export function reset(stream: StreamPort): void {
  stream.receive({ onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} });
  stream.terminate();
}

/**
 * Sends FIN after the data written so far and reads until the peer closes too.
 *
 * @param onChunk gets the data that still arrives. It is not relayed, but the caller counts it.
 * @param timeoutMs resets the connection if the peer has not closed it by then.
 * @returns resolves when the stream is closed.
 */
export function closeGracefully(
  stream: StreamPort,
  onChunk: (chunk: Uint8Array) => void,
  clock: Clock,
  timeoutMs = LINGER_MS,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(timeoutMs, () => {
      stream.terminate();
      resolve();
    });
    stream.receive({
      onChunk,
      onDrain() {},
      onEnd() {},
      onClose() {
        timer.cancel();
        resolve();
      },
    });
    stream.resume();
    stream.shutdown();
  });
}

/** The streams of one tunnel that are being closed gracefully. */
export class DrainingStreams {
  readonly #clock: Clock;
  readonly #closing = new Set<Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Closes the stream gracefully. The parameters are those of {@link closeGracefully}. */
  add(stream: StreamPort, onChunk: (chunk: Uint8Array) => void, timeoutMs?: number): void {
    const closed = closeGracefully(stream, onChunk, this.#clock, timeoutMs).then(
      () => void this.#closing.delete(closed),
    );
    this.#closing.add(closed);
  }

  /** Resolves when every stream that is closing at this time is closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#closing);
  }
}
