/**
 * A bounded queue of lines for a reader that may be slow or may have closed. When the queue is full, lines
 * are dropped and counted; one line in their place reports how many.
 */

import { setTimeout as sleep } from "node:timers/promises";

/** Capacity of the queue in characters. The write in progress holds at most the same amount. */
export const QUEUE_MAX = 1 << 18;

export class LineWriter {
  readonly #write: (text: string) => Promise<void>;
  readonly #notice: (lines: number) => string;
  #queue = "";
  #writing: Promise<void> | undefined;
  #dropped = 0;
  /** Dropped lines that no notice has reported yet. */
  #unreported = 0;

  /**
   * @param write resolves when the text is written, rejects when that fails.
   * @param notice returns the line that reports this many dropped lines.
   */
  constructor(write: (text: string) => Promise<void>, notice: (lines: number) => string) {
    this.#write = write;
    this.#notice = notice;
  }

  /** Lines dropped because the queue was full or the write failed. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether a write is in progress. */
  get writing(): boolean {
    return this.#writing !== undefined;
  }

  /** Whether the queue has no room for another line. */
  get full(): boolean {
    return this.#queue.length >= QUEUE_MAX;
  }

  /**
   * Queues text. The caller checks {@link full} first, once for all parts of a text that must stay together.
   */
  write(text: string): void {
    this.#queue += text;
    this.#writing ??= this.#writeQueue();
  }

  /** Counts lines that are not queued. */
  drop(lines = 1): void {
    this.#dropped += lines;
    this.#unreported += lines;
  }

  /** Settles when everything is written, at the latest after `timeoutMs`. */
  async flushed(timeoutMs: number): Promise<void> {
    await Promise.race([this.#writing, sleep(timeoutMs)]);
  }

  async #writeQueue(): Promise<void> {
    while (this.#queue !== "") {
      const lines = this.#queue;
      const unreported = this.#unreported;
      this.#queue = "";
      this.#unreported = 0;
      try {
        // Lines are dropped only while the queue is full, so all lines in it are older.
        await this.#write(unreported > 0 ? lines + this.#notice(unreported) : lines);
      } catch {
        this.#unreported += unreported;
        this.drop(lines.split("\n").length - 1);
      }
    }
    this.#writing = undefined;
  }
}
