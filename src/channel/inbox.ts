/**
 * Where a channel's incoming datagrams wait for whoever takes them, as the link's {@link DatagramSender}: when they wait
 * too long here, the stream is paused, and TCP makes the peer wait.
 */

import type { DatagramSender, SendDropReason, SendObserver } from "../net/datagram-port.ts";
import { raise } from "../observe/invoke-listener.ts";

/** When this much waits, no more is read; it is read on when half of it has been taken. */
const DATAGRAMS_MAX = 1024;
const BYTES_MAX = 1024 * 1024;

export class Inbox implements DatagramSender {
  readonly #report: SendObserver;
  readonly #onConsumed: () => void;
  #waiting: Uint8Array[] = [];
  /** The first of `#waiting` that has not been taken. */
  #first = 0;
  #bytes = 0;
  #blocked = false;
  #receiver: ((datagram: Uint8Array) => void) | undefined;
  #takers: ((datagram: Uint8Array | undefined) => void)[] = [];
  #ended = false;
  #closed = false;

  /**
   * @param report the link.
   * @param onConsumed called when nothing will come any more and whoever takes datagrams has come to know.
   */
  constructor(report: SendObserver, onConsumed: () => void) {
    this.#report = report;
    this.#onConsumed = onConsumed;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get held(): number {
    return this.#waiting.length - this.#first;
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    if (this.#closed) return this.#report.onSendDropped("closing", 1);
    const datagram = bytes.subarray(start, start + length);
    if (this.#receiver !== undefined) return this.#hand(datagram, this.#receiver);
    const taker = this.#takers.shift();
    if (taker !== undefined) return this.#hand(datagram, taker);
    this.#waiting.push(datagram);
    this.#bytes += length;
    this.#blocked = this.held >= DATAGRAMS_MAX || this.#bytes >= BYTES_MAX;
  }

  flush(): void {}

  drop(reason: SendDropReason): void {
    if (this.held > 0) this.#report.onSendDropped(reason, this.held);
    this.#waiting = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#blocked = false;
  }

  /** Hands every datagram to `receiver` from now on, those that wait first. */
  receive(receiver: (datagram: Uint8Array) => void): void {
    // Taking can bring more in: until nothing waits, what comes has to stand behind it.
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) this.#hand(next, receiver);
    this.#receiver = receiver;
    if (this.#ended) this.#onConsumed();
  }

  /** The next datagram, or undefined when there will be none. */
  take(): Promise<Uint8Array | undefined> {
    const next = this.#shift();
    if (next !== undefined) {
      this.#report.onSent(1, next.length, 0);
      return Promise.resolve(next);
    }
    if (this.#ended) this.#onConsumed();
    if (this.#ended || this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Nothing will come after what waits. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const known = this.#receiver !== undefined || this.#takers.length > 0;
    this.#dismissTakers();
    if (known) this.#onConsumed();
  }

  /** Nobody takes anything any more: what waits and what still comes is dropped. */
  close(): void {
    this.#closed = true;
    this.#dismissTakers();
    const wasBlocked = this.#blocked;
    this.drop("closing");
    if (wasBlocked) this.#report.onWritable();
  }

  #hand(datagram: Uint8Array, to: (datagram: Uint8Array) => void): void {
    this.#report.onSent(1, datagram.length, 0);
    try {
      to(datagram);
    } catch (error) {
      raise(error);
    }
  }

  /** Takes the first that waits, and has the stream read on when there is room again. */
  #shift(): Uint8Array | undefined {
    const next = this.#waiting[this.#first];
    if (next === undefined) return undefined;
    this.#first++;
    this.#bytes -= next.length;
    if (this.#first * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    if (this.#blocked && this.held <= DATAGRAMS_MAX / 2 && this.#bytes <= BYTES_MAX / 2) {
      this.#blocked = false;
      this.#report.onWritable();
    }
    return next;
  }

  #dismissTakers(): void {
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
