/** Datagrams whose bytes depend only on a seed and their number, so that a receiver can check them. */

/** Length of the random bytes. Payloads are windows into them. */
const POOL_BYTES = 1 << 17;

export class NumberedStream {
  readonly #bytes: number;
  readonly #pool = new Uint8Array(POOL_BYTES);

  /**
   * @param bytes the length of each payload. With four bytes or more, it begins with the number of the
   * datagram.
   */
  constructor(seed: number, bytes: number) {
    this.#bytes = bytes;
    let state = seed >>> 0 || 1;
    for (let index = 0; index < POOL_BYTES; index++) {
      // xorshift32 (Marsaglia, 2003)
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      this.#pool[index] = state;
    }
  }

  /** The payload of datagram `number`, from 0, in new memory. */
  payload(number: number): Uint8Array {
    const start = (number * 251) % (POOL_BYTES - this.#bytes + 1);
    const payload = this.#pool.slice(start, start + this.#bytes);
    if (this.#bytes >= 4) new DataView(payload.buffer).setUint32(0, number);
    return payload;
  }
}
