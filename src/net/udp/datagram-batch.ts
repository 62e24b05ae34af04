/**
 * Datagrams on their way to one system call: where the bytes of each are, in order. Payloads are not copied.
 */

import type { LocalAddress } from "../datagram-port.ts";

/**
 * How many datagrams one batch holds. sendmmsg(2) takes at most 1,024 messages and 1,024 buffers a message.
 */
export const BATCH_DATAGRAMS_MAX = 1024;

/**
 * At most this many empty batches are kept. A sender needs one while it adds, and for longer only when
 * blocked.
 */
const SPARES_MAX = 4;
const spares: DatagramBatch[] = [];

export class DatagramBatch {
  /** An empty batch, of 20 kB. All sockets share the spare ones, so that a socket at rest holds none. */
  static take(): DatagramBatch {
    return spares.pop() ?? new DatagramBatch();
  }

  /** Gives back a batch that is no longer used. */
  static giveBack(batch: DatagramBatch): void {
    batch.clear();
    if (spares.length < SPARES_MAX) spares.push(batch);
  }

  /** The array that holds each payload: it keeps the memory alive while the kernel reads it. */
  readonly bytes: Uint8Array[] = [];
  readonly starts = new Int32Array(BATCH_DATAGRAMS_MAX);
  readonly lengths = new Int32Array(BATCH_DATAGRAMS_MAX);
  /** Datagrams in the batch. Those before `from` are done with. */
  count = 0;
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

/**
 * Hands batches to the kernel. It has no policy: what to do with a datagram the kernel refuses is the
 * sender's.
 */
export interface Transmitter {
  /**
   * Hands the datagrams `batch.from` to `batch.count` to the kernel, in order, and stops at the first it
   * refuses.
   *
   * @returns how many it took. When that is fewer than asked for, {@link refusal} says why.
   */
  transmit(batch: DatagramBatch): number;
  /** The errno name of the last short `transmit`: EAGAIN for a full buffer, "" when it is not known. */
  readonly refusal: string;
  /** System calls made so far, as far as they are known. */
  readonly systemCalls: number;
}

/** A transmitter that works without Bun. */
export interface SystemTransmitter extends Transmitter {
  /**
   * The local address that datagrams leave from; the kernel chooses it while undefined. Becomes undefined
   * when the kernel refuses it, because this host no longer has it.
   */
  from: LocalAddress | undefined;
  /** Sends one datagram: false when the socket's buffer is full. @throws NetError the kernel's error. */
  sendOne(payload: Uint8Array): boolean;
}
