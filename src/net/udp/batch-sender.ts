/**
 * The policy of sending: many datagrams in one call, and what to do with the one the kernel refuses.
 *
 * 1. `add` notes where a payload lies. Nothing is copied. 2. `flush` hands the batch to the transmitter,
 *    which takes as many as the kernel does. 3. The first datagram not taken is tried alone, with Bun's own
 *    `send` unless we read the socket in Bun's place. It goes (go on with the batch), or the socket's buffer
 *    is full (wait for `resume`; only Bun's own `send` arms Bun's `drain`), or the kernel says why not.
 */

import type { DatagramSender, LocalAddress, SendDropReason, SendObserver } from "../datagram-port.ts";
import { errorCode } from "../network.ts";
import { BATCH_DATAGRAMS_MAX, DatagramBatch, type Transmitter } from "./datagram-batch.ts";

/** What a sender needs of the socket it shares with others. */
export interface SenderSocket {
  /** Calls `sender.resume` at the socket's next `drain`. */
  awaitDrain(sender: BatchSender): void;
  /** A refusal by ICMP showed itself. */
  onRefused(): void;
}

/** An ICMP refusal of an earlier datagram is reported once per pending error: two may wait, rarely more. */
const REFUSED_TRIES = 4;

export class BatchSender implements DatagramSender {
  readonly #socket: SenderSocket;
  readonly #transmitter: Transmitter & { from?: LocalAddress | undefined };
  readonly #sendOne: (payload: Uint8Array) => boolean;
  readonly #report: SendObserver;
  #batch: DatagramBatch | undefined;
  #blocked = false;

  /** @param sendOne sends one datagram: false when the buffer is full, throws the kernel's error. */
  constructor(
    socket: SenderSocket,
    transmitter: Transmitter & { from?: LocalAddress | undefined },
    sendOne: (payload: Uint8Array) => boolean,
    report: SendObserver,
  ) {
    this.#socket = socket;
    this.#transmitter = transmitter;
    this.#sendOne = sendOne;
    this.#report = report;
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
      else if (!this.#settleRefused(batch)) {
        this.#blocked = true;
        this.#socket.awaitDrain(this);
        return;
      }
    }
    this.#release(batch);
  }

  /** The socket has room again. */
  resume(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#report.onWritable();
  }

  drop(reason: SendDropReason): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#report.onSendDropped(reason, batch.count - batch.from);
    this.#blocked = false;
    this.#release(batch);
  }

  /** Sends or drops the next datagram alone; false when the socket's buffer is full. */
  #settleRefused(batch: DatagramBatch): boolean {
    let code = this.#transmitter.refusal;
    if (code === "" || code === "EAGAIN" || code === "ECONNREFUSED") {
      const payload = batch.view(batch.from);
      if (code === "ECONNREFUSED") this.#socket.onRefused();
      for (let tries = 0; tries < REFUSED_TRIES; tries++) {
        try {
          if (!this.#sendOne(payload)) return false;
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
    this.#report.onSendDropped(reasonOf(code), 1, code);
    return true;
  }

  #sent(batch: DatagramBatch, datagrams: number, systemCalls: number): void {
    let bytes = 0;
    const to = batch.from + datagrams;
    for (let index = batch.from; index < to; index++) bytes += batch.lengths[index] as number;
    batch.from = to;
    this.#report.onSent(datagrams, bytes, systemCalls);
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
