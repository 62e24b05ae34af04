/** The streams a tunnel has taken leave of: each gets a moment to hand over what it has taken. */

import type { Clock } from "./clock.ts";
import { retire } from "./close-stream.ts";
import type { StreamPort } from "./stream-port.ts";

/** How long a peer gets to take our FIN. */
const FAREWELL_MS = 1000;

export class Farewells {
  readonly #clock: Clock;
  readonly #leaving = new Set<Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Sends FIN after what the stream has taken, and cuts it off when the peer takes too long.
   *
   * @param late told of what the stream still brings.
   */
  bid(stream: StreamPort, late: (chunk: Uint8Array) => void): void {
    const gone = retire(stream, late, this.#clock, FAREWELL_MS).then(() => void this.#leaving.delete(gone));
    this.#leaving.add(gone);
  }

  /** Settles when all streams that are leaving now are gone. */
  async over(): Promise<void> {
    await Promise.all(this.#leaving);
  }
}
