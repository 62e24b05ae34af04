/** A batch of datagrams for one system call, as references to their payloads: nothing is copied. */

import type { LocalAddress } from "../datagram-port.ts";

/**
 * How many datagrams one batch holds. sendmmsg(2) takes at most 1,024 messages and 1,024 buffers a message.
 */
export const BATCH_DATAGRAMS_MAX = 1024;

/**
 * The most empty batches to keep. A sender needs one while it adds, and keeps one longer only while blocked.
 */
const SPARES_MAX = 4;
const spares: DatagramBatch[] = [];

export class DatagramBatch {
  /** An empty batch, of 20 kB. All sockets share the spare ones; an idle socket has none. */
  static take(): DatagramBatch {
    return spares.pop() ?? new DatagramBatch();
  }

  /** Returns a batch that is not needed any longer. */
  static giveBack(batch: DatagramBatch): void {
    batch.clear();
    if (spares.length < SPARES_MAX) spares.push(batch);
  }

  /** The array of each payload. The reference keeps the memory alive while the kernel reads it. */
  readonly bytes: Uint8Array[] = [];
  readonly starts = new Int32Array(BATCH_DATAGRAMS_MAX);
  readonly lengths = new Int32Array(BATCH_DATAGRAMS_MAX);
  /** The number of datagrams that were added. */
  count = 0;
  /** The first datagram that is neither sent nor dropped. */
  from = 0;

  add(bytes: Uint8Array, start: number, length: number): void {
    this.bytes[this.count] = bytes;
    this.starts[this.count] = start;
    this.lengths[this.count] = length;
    this.count++;
  }

  /** The payload at `index` as a view. */
  view(index: number): Uint8Array {
    const start = this.starts[index] as number;
    return (this.bytes[index] as Uint8Array).subarray(start, start + (this.lengths[index] as number));
  }

  clear(): void {
    this.bytes.length = 0;
    this.count = 0;
    this.from = 0;
  }
}

/** Passes batches to the kernel. The sender decides what to do with a datagram that the kernel refuses. */
export interface Transmitter {
  /**
   * Passes the datagrams from `batch.from` to `batch.count` to the kernel, in order, until it refuses one.
   *
   * @returns how many the kernel took. If not all, {@link refusal} has the error code.
   */
  transmit(batch: DatagramBatch): number;
  /** Sends one datagram. @returns false when the send buffer is full. @throws any other error. */
  sendOne(payload: Uint8Array): boolean;
  /** The error code of the last incomplete `transmit`: EAGAIN for a full buffer, "" when unknown. */
  readonly refusal: string;
  /** The number of system calls so far, as far as it is known. */
  readonly systemCalls: number;
  /** The local address to send from, if the transmitter supports it. When undefined, the kernel chooses. */
  from?: LocalAddress | undefined;
}

/** A transmitter that works without Bun. */
export interface SystemTransmitter extends Transmitter {
  /** Becomes undefined when the kernel refuses it, because this host does not have it any longer. */
  from: LocalAddress | undefined;
}
