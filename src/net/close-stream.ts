/** The two ways to end a TCP connection from our side: at once, or after everything written has arrived. */

import type { Clock } from "./clock.ts";
import type { StreamPort } from "./stream-port.ts";

/**
 * How long a peer may take to read the remaining data and to close its side. The connection is reset after
 * that.
 */
const LINGER_MS = 1000;

/** Ends a connection at once. Data that is not acknowledged may be lost. */
export function reset(stream: StreamPort): void {
  stream.receive({ onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} });
  stream.terminate();
}

/**
 * Sends FIN after the data written so far and reads until the peer closes too.
 *
 * @param onChunk gets the data that still arrives, so that it can be counted; it is not relayed.
 * @param timeoutMs the connection is reset when the peer has not closed by then.
 * @returns settles when the stream is closed.
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

  /** Settles when every stream that is closing now is closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#closing);
  }
}
