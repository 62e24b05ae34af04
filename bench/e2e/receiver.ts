/** Receives datagrams in batches into reused memory, and checks each. */

import { type Memory, memory } from "../../src/net/linux/libc.ts";
import { type Kernel, MSG_WAITFORONE } from "./kernel.ts";
import { Messages } from "./messages.ts";
import { HEADER_BYTES, patternPeriod, patternRing } from "./payload.ts";
import type { Tally } from "./tally.ts";

const BATCH = 64;
/** Any UDP payload fits. */
const SLOT_BYTES = 65_536;

export class Receiver {
  readonly #kernel: Kernel;
  readonly #tally: Tally;
  readonly #messages: Messages;
  readonly #bytes: Memory;
  readonly #view: DataView;
  readonly #bytesAt: number;
  readonly #patterns = new Map<number, { ring: Uint8Array<ArrayBuffer>; at: number }>();

  constructor(kernel: Kernel, tally: Tally) {
    this.#kernel = kernel;
    this.#tally = tally;
    this.#messages = new Messages(kernel.libc, BATCH);
    this.#bytes = memory(BATCH * SLOT_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
    this.#bytesAt = kernel.libc.addressOf(this.#bytes.buffer);
    this.#reset();
  }

  /**
   * Receives one batch, blocking as long as the socket does.
   *
   * @param answer whether to echo every datagram to its source.
   * @returns the number of datagrams.
   */
  receive(fd: number, answer = false): number {
    if (answer) this.#messages.keepNames(this.#kernel.libc, BATCH);
    const count = this.#kernel.recvmmsg(fd, this.#messages.address, BATCH, MSG_WAITFORONE);
    if (count <= 0) return 0;
    const now = this.#kernel.now();
    for (let index = 0; index < count; index++) {
      const length = this.#messages.length(index);
      this.#tally.add(this.#view, index * SLOT_BYTES, length, now, this.#patternHolds);
      if (answer) this.#messages.point(index, this.#bytesAt + index * SLOT_BYTES, length);
    }
    if (answer) {
      this.#kernel.sendmmsg(fd, this.#messages.address, count, 0);
      this.#reset();
    }
    return count;
  }

  #reset(): void {
    for (let index = 0; index < BATCH; index++) {
      this.#messages.point(index, this.#bytesAt + index * SLOT_BYTES, SLOT_BYTES);
    }
  }

  readonly #patternHolds = (at: number, length: number, sequence: number): boolean => {
    const body = length - HEADER_BYTES;
    if (body === 0) return true;
    let pattern = this.#patterns.get(length);
    if (pattern === undefined) {
      const ring = patternRing(length);
      pattern = { ring, at: this.#kernel.libc.addressOf(ring.buffer) };
      this.#patterns.set(length, pattern);
    }
    const slot = sequence % patternPeriod(length);
    return this.#kernel.same(
      this.#bytesAt + at + HEADER_BYTES,
      pattern.at + slot * length + HEADER_BYTES,
      body,
    );
  };
}
