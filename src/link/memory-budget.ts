/**
 * Memory that all sessions of a tunnel share, so that many together stay within bounds: their queues, and the chunks of
 * TCP that are not delivered yet.
 */

/** The most bytes that Bun 1.4.5 hands over at once. */
const CHUNK_BYTES_MAX = 512 * 1024;
/** About the most that a stream brings after a smaller chunk: the kernel's receive buffer starts at 128 KiB, tcp(7). */
const SMALL_CHUNK_BYTES = 128 * 1024;

/** All queues together may hold this many times what one queue may hold. */
const BUDGET_QUEUES = 16;

export class MemoryBudget {
  readonly #bytesMax: number;
  #queuedBytes = 0;
  #chunkBytes = 0;

  /** @param queueBytesMax the limit of one queue. Chunks that arrive at the same moment may exceed the budget. */
  constructor(queueBytesMax: number) {
    this.#bytesMax = BUDGET_QUEUES * queueBytesMax;
  }

  /** Bytes waiting now. */
  get bytes(): number {
    return this.#queuedBytes + this.#chunkBytes;
  }

  /** Whether this many more bytes may be queued. */
  allows(bytes: number): boolean {
    return this.bytes + bytes <= this.#bytesMax;
  }

  /**
   * Whether there is room for another chunk of a stream. Chunks may take a quarter of the budget, so that they leave
   * room for the queues. Small chunks may take a quarter more, so that streams that are new or bring little do not wait
   * for those that flood. One chunk is always allowed, so that full queues cannot keep every stream from being read.
   *
   * @param lastBytes length of the stream's last chunk; 0 for a new stream.
   */
  allowsChunk(lastBytes: number): boolean {
    if (this.#chunkBytes === 0) return true;
    const small = lastBytes < SMALL_CHUNK_BYTES;
    const chunkBytes = this.#chunkBytes + (small ? SMALL_CHUNK_BYTES : CHUNK_BYTES_MAX);
    const share = small ? 1 / 2 : 1 / 4;
    return chunkBytes <= this.#bytesMax * share && this.#queuedBytes + chunkBytes <= this.#bytesMax;
  }

  /** A queue has grown by this many bytes, or shrunk by them. */
  change(bytes: number): void {
    this.#queuedBytes += bytes;
  }

  /** Undelivered chunks have grown by this many bytes, or shrunk by them. */
  changeChunks(bytes: number): void {
    this.#chunkBytes += bytes;
  }
}
