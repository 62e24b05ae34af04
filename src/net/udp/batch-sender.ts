/**
 * Sends datagrams in batches, and decides what to do when the kernel refuses one:
 *
 * 1. `add` records where a payload lies. Nothing is copied.
 * 2. `flush` passes the batch to the transmitter. The kernel takes datagrams until it refuses one.
 * 3. The refused datagram is sent again, alone, to learn its error code. With Bun's own `send`, Bun calls
 *    `drain` when the socket has room. With a system's transmitter, a timer replaces `drain`.
 * 4. If the kernel takes it now, the rest of the batch follows. If the send buffer is full, the sender is
 *    blocked until `resume`. After any other error the datagram is dropped, and the rest of the batch
 *    follows.
 */

import type { DatagramSender, LocalAddress, SendDropReason, SendObserver } from "../datagram-port.ts";
import { errorCode } from "../network.ts";
import { BATCH_DATAGRAMS_MAX, DatagramBatch, type Transmitter } from "./datagram-batch.ts";

/** The socket of a sender, which it may share with other senders. */
export interface SenderSocket {
  /** Calls `sender.resume` when the socket has room again. */
  awaitDrain(sender: BatchSender): void;
  /** A call on the socket returned ECONNREFUSED: an earlier datagram was refused by ICMP. */
  onRefused(): void;
}

/** Each pending ICMP error of earlier datagrams makes one try fail. At most two are pending in most cases. */
const REFUSED_TRIES = 4;

export class BatchSender implements DatagramSender {
  readonly #socket: SenderSocket;
  readonly #transmitter: Transmitter;
  readonly #observer: SendObserver;
  #batch: DatagramBatch | undefined;
  #blocked = false;

  constructor(socket: SenderSocket, transmitter: Transmitter, observer: SendObserver) {
    this.#socket = socket;
    this.#transmitter = transmitter;
    this.#observer = observer;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get from(): LocalAddress | undefined {
    return this.#transmitter.from;
  }

  set from(local: LocalAddress | undefined) {
    this.#transmitter.from = local;
  }

  get held(): number {
    return this.#batch === undefined ? 0 : this.#batch.count - this.#batch.from;
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    this.#batch ??= DatagramBatch.take();
    this.#batch.add(bytes, start, length);
    if (this.#batch.count === BATCH_DATAGRAMS_MAX) this.flush();
  }

  flush(): void {
    const batch = this.#batch;
    if (batch === undefined || this.#blocked) return;
    while (batch.from < batch.count) {
      const callsBefore = this.#transmitter.systemCalls;
      const taken = this.#transmitter.transmit(batch);
      if (taken > 0) this.#sent(batch, taken, this.#transmitter.systemCalls - callsBefore);
      else if (!this.#sendRefused(batch)) {
        this.#blocked = true;
        this.#socket.awaitDrain(this);
        return;
      }
    }
    this.#release(batch);
  }

  /** Unblocks the sender: the socket has room again. */
  resume(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#observer.onWritable();
  }

  drop(reason: SendDropReason): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#observer.onSendDropped(reason, batch.count - batch.from);
    this.#blocked = false;
    this.#release(batch);
  }

  /** Sends the next datagram alone, or drops it. @returns false when the send buffer is full. */
  #sendRefused(batch: DatagramBatch): boolean {
    let code = this.#transmitter.refusal;
    if (code === "" || code === "EAGAIN" || code === "ECONNREFUSED") {
      const payload = batch.view(batch.from);
      if (code === "ECONNREFUSED") this.#socket.onRefused();
      for (let tries = 0; tries < REFUSED_TRIES; tries++) {
        try {
          if (!this.#transmitter.sendOne(payload)) return false;
          this.#sent(batch, 1, 1);
          return true;
        } catch (error) {
          code = errorCode(error);
          if (code !== "ECONNREFUSED") break;
          this.#socket.onRefused();
        }
      }
    }
    batch.from++;
    this.#observer.onSendDropped(reasonOf(code), 1, code);
    return true;
  }

  #sent(batch: DatagramBatch, datagrams: number, systemCalls: number): void {
    let bytes = 0;
    const to = batch.from + datagrams;
    for (let index = batch.from; index < to; index++) bytes += batch.lengths[index] as number;
    batch.from = to;
    this.#observer.onSent(datagrams, bytes, systemCalls);
  }

  #release(batch: DatagramBatch): void {
    this.#batch = undefined;
    DatagramBatch.giveBack(batch);
  }
}

function reasonOf(code: string): SendDropReason {
  switch (code) {
    case "EMSGSIZE":
      return "too long";
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENETDOWN":
    case "EADDRNOTAVAIL":
      return "unreachable";
    default:
      return "send error";
  }
}
