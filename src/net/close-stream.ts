/** How a stream is left in peace: everything written still arrives, and nothing of it can disturb us any more. */

import type { Clock } from "./clock.ts";
import type { StreamPort } from "./stream-port.ts";

/**
 * Sends FIN after what the stream has taken, reads on until the peer is done too, then lets go.
 *
 * @param onChunk told of what still comes, which nobody will relay.
 * @param timeoutMs a peer that has not finished by then is cut off.
 * @returns settles when the stream is gone.
 */
export function retire(
  stream: StreamPort,
  onChunk: (chunk: Uint8Array) => void,
  clock: Clock,
  timeoutMs: number,
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
