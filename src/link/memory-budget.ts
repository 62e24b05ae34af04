/**
 * Limits the memory of all sessions of a tunnel together: their queues to TCP, and the chunks from TCP that
 * are not delivered yet.
 */

/** The most bytes that Bun 1.4.5 delivers in one chunk. */
const CHUNK_BYTES_MAX = 512 * 1024;
/** About the most that follows a smaller chunk: the kernel's receive buffer starts at 128 KiB, tcp(7). */
const SMALL_CHUNK_BYTES = 128 * 1024;

/** The budget, as a multiple of what one queue may hold. */
const BUDGET_QUEUES = 16;

export class MemoryBudget {
  readonly #bytesMax: number;
  #queuedBytes = 0;
  #chunkBytes = 0;

  /** @param queueBytesMax the limit of one queue. Chunks that arrive in one tick may exceed the budget. */
  constructor(queueBytesMax: number) {
    this.#bytesMax = BUDGET_QUEUES * queueBytesMax;
  }

  /** Bytes in use now. */
  get bytes(): number {
    return this.#queuedBytes + this.#chunkBytes;
  }

  /** Whether this many more bytes may be queued. */
  allows(bytes: number): boolean {
    return this.bytes + bytes <= this.#bytesMax;
  }

  /**
   * Whether a stream may bring another chunk. All chunks together may take a quarter of the budget, which
   * leaves room for the queues. Small chunks may take a quarter more, so that new and slow streams do not
   * wait for fast ones. One chunk is always allowed, or full queues would keep every stream from being read.
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

  /** A queue grew by this many bytes; negative when it shrank. */
  changeQueued(bytes: number): void {
    this.#queuedBytes += bytes;
  }

  /** The undelivered chunks of a stream grew by this many bytes; negative when they shrank. */
  changeChunks(bytes: number): void {
    this.#chunkBytes += bytes;
  }
}
