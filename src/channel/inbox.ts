/**
 * A channel's buffer of received datagrams. To the link it is a {@link DatagramSender}, as a UDP socket is.
 * When the buffer is full, the link pauses the stream, and TCP holds the peer back.
 */

import type { DatagramSender, SendDropReason, SendObserver } from "../net/datagram-port.ts";
import { raise } from "../observe/invoke-listener.ts";

/** When the buffer holds this much, the stream is paused. It is resumed when half of that has been taken. */
const DATAGRAMS_MAX = 1024;
const BYTES_MAX = 1024 * 1024;

export class Inbox implements DatagramSender {
  readonly #observer: SendObserver;
  readonly #onConsumed: () => void;
  #datagrams: Uint8Array[] = [];
  /** The index in `#datagrams` of the first one that is not taken yet. */
  #first = 0;
  #bytes = 0;
  #blocked = false;
  #receiver: ((datagram: Uint8Array) => void) | undefined;
  #takers: ((datagram: Uint8Array | undefined) => void)[] = [];
  #ended = false;
  #closed = false;

  /**
   * @param observer the link.
   * @param onConsumed called when all datagrams are taken, no more will come, and the application knows it.
   */
  constructor(observer: SendObserver, onConsumed: () => void) {
    this.#observer = observer;
    this.#onConsumed = onConsumed;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get held(): number {
    return this.#datagrams.length - this.#first;
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    if (this.#closed) return this.#observer.onSendDropped("closing", 1);
    const datagram = bytes.subarray(start, start + length);
    if (this.#receiver !== undefined) return this.#pass(datagram, this.#receiver);
    const taker = this.#takers.shift();
    if (taker !== undefined) return this.#pass(datagram, taker);
    this.#datagrams.push(datagram);
    this.#bytes += length;
    this.#blocked = this.held >= DATAGRAMS_MAX || this.#bytes >= BYTES_MAX;
  }

  flush(): void {}

  drop(reason: SendDropReason): void {
    if (this.held > 0) this.#observer.onSendDropped(reason, this.held);
    this.#datagrams = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#blocked = false;
  }

  /** Passes every datagram to `receiver` from now on, beginning with the buffered ones. */
  receive(receiver: (datagram: Uint8Array) => void): void {
    // The receiver's work can add datagrams. They must stay behind the buffered ones, so it is set when the
    // buffer is empty.
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) this.#pass(next, receiver);
    this.#receiver = receiver;
    if (this.#ended) this.#onConsumed();
  }

  /** Settles with the next datagram, or with undefined when there will be no more. */
  take(): Promise<Uint8Array | undefined> {
    const next = this.#shift();
    if (next !== undefined) {
      this.#observer.onSent(1, next.length, 0);
      return Promise.resolve(next);
    }
    if (this.#ended) this.#onConsumed();
    if (this.#ended || this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** No datagrams will follow the buffered ones. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const isNoticed = this.#receiver !== undefined || this.#takers.length > 0;
    this.#endTakers();
    if (isNoticed) this.#onConsumed();
  }

  /** Drops all buffered datagrams, and those that still arrive. */
  close(): void {
    this.#closed = true;
    this.#endTakers();
    const wasBlocked = this.#blocked;
    this.drop("closing");
    if (wasBlocked) this.#observer.onWritable();
  }

  #pass(datagram: Uint8Array, to: (datagram: Uint8Array) => void): void {
    this.#observer.onSent(1, datagram.length, 0);
    try {
      to(datagram);
    } catch (error) {
      raise(error);
    }
  }

  /** Removes the first datagram. Resumes the stream when there is room again. */
  #shift(): Uint8Array | undefined {
    const next = this.#datagrams[this.#first];
    if (next === undefined) return undefined;
    this.#first++;
    this.#bytes -= next.length;
    if (this.#first * 2 >= this.#datagrams.length) {
      this.#datagrams = this.#datagrams.slice(this.#first);
      this.#first = 0;
    }
    if (this.#blocked && this.held <= DATAGRAMS_MAX / 2 && this.#bytes <= BYTES_MAX / 2) {
      this.#blocked = false;
      this.#observer.onWritable();
    }
    return next;
  }

  #endTakers(): void {
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
