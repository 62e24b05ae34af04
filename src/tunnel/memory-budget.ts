/** Memory that all queues of a tunnel share, so that many sessions together stay within bounds. */

export class MemoryBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax bytes that may wait in all queues together. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes waiting now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether this many more may wait. */
  allows(bytes: number): boolean {
    return this.#bytes + bytes <= this.#bytesMax;
  }

  /** A queue has grown by this many bytes, or shrunk by them. */
  change(bytes: number): void {
    this.#bytes += bytes;
  }
}
