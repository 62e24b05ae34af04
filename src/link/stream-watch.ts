/** What the kernel says of a link's streams, kept beyond the end of each. */

import type { StreamPort } from "../net/stream-port.ts";
import type { Counters } from "../observe/counters.ts";
import type { StreamStats } from "../observe/stats.ts";

export class StreamWatch {
  readonly #counters: Counters;
  /** Of the present stream, as seen last: a stream that was reset can no longer be asked. */
  #retransmits = 0;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  look(stream: StreamPort): StreamStats {
    const { local, remote } = stream;
    const gauge = stream.gauge();
    if (gauge === undefined) return { local, remote };
    const { rttMs, minRttMs, retransmits, inFlightBytes, unsentBytes } = gauge;
    this.#retransmits = retransmits;
    return { local, remote, rttMs, minRttMs, retransmits, inFlightBytes, unsentBytes };
  }

  /** The stream is taken away. What has been shown of it stays in the sum, so that this never falls. */
  onGone(stream: StreamPort): void {
    this.look(stream);
    this.#counters.retransmits += this.#retransmits;
    this.#retransmits = 0;
  }
}
