/**
 * Memory that all sessions of a tunnel share, so that many together stay within bounds: what their queues hold, and the
 * chunks of TCP that are not delivered yet.
 */

/** What Bun 1.4.5 hands over at once. */
const CHUNK_BYTES_MAX = 512 * 1024;
/** What a new connection has brought by then: the kernel's receive buffer starts at 128 KiB (tcp(7), tcp_rmem). */
const FIRST_CHUNK_BYTES_MAX = 128 * 1024;

export class MemoryBudget {
  readonly #bytesMax: number;
  #queuedBytes = 0;
  #chunkBytes = 0;

  /** @param bytesMax bytes that may wait in all sessions together, chunks that come at the same moment aside. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
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
   * Whether there is room for another chunk of a stream. Chunks may take half of the budget, so that they cannot keep the
   * queues from taking anything, and first chunks a quarter more, so that new streams do not wait for those that flood.
   * One is always allowed, so that full queues cannot keep every stream from being read.
   */
  allowsChunk(first: boolean): boolean {
    if (this.#chunkBytes === 0) return true;
    const chunkBytes = this.#chunkBytes + (first ? FIRST_CHUNK_BYTES_MAX : CHUNK_BYTES_MAX);
    const share = first ? 3 / 4 : 1 / 2;
    return chunkBytes <= this.#bytesMax * share && this.#queuedBytes + chunkBytes <= this.#bytesMax;
  }

  /** A queue has grown by this many bytes, or shrunk by them. */
  change(bytes: number): void {
    this.#queuedBytes += bytes;
  }

  /** Chunks that are not delivered yet have become more by this many bytes, or fewer. */
  changeChunks(bytes: number): void {
    this.#chunkBytes += bytes;
  }
}
