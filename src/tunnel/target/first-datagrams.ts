/**
 * Copies of the first datagrams of each second that are sent to an address that has not answered yet. The
 * address may refuse them after the kernel has accepted them. Then they are sent to the target's next
 * address.
 */

import type { Clock } from "../../net/clock.ts";
import type { DatagramSender, SendDropReason, SendObserver } from "../../net/datagram-port.ts";

const KEPT_DATAGRAMS_MAX = 4;
const KEPT_BYTES_MAX = 4096;
/** Older datagrams are not sent again, because their sender no longer waits for an answer. */
const KEPT_MS = 1000;

/** Counts nothing: the datagrams were counted when they were sent for the first time. */
const UNCOUNTED: SendObserver = { onSent() {}, onSendDropped() {}, onWritable() {} };

export class FirstDatagrams {
  readonly #clock: Clock;
  #kept: { payload: Uint8Array; at: number }[] = [];
  #bytes = 0;
  #resent = 0;
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A sender that copies the first datagrams and forwards all to `sender`. */
  through(sender: DatagramSender): DatagramSender {
    return new CopyingSender(sender, this);
  }

  /** @param bytes copied before return. */
  keep(bytes: Uint8Array, start: number, length: number): void {
    if (this.#ended || length > KEPT_BYTES_MAX) return;
    const now = this.#clock.now();
    if (this.#kept.length >= KEPT_DATAGRAMS_MAX || this.#bytes + length > KEPT_BYTES_MAX) {
      const [oldest] = this.#kept;
      if (oldest !== undefined && now - oldest.at < KEPT_MS) return;
      this.#clear();
    }
    this.#kept.push({ payload: bytes.slice(start, start + length), at: now });
    this.#bytes += length;
  }

  /** Stops copying, because the address has answered. */
  end(): void {
    if (this.#ended) return;
    this.#clear();
    this.#ended = true;
  }

  /**
   * Sends the copies to the next address, because the last one has refused.
   *
   * @param openSender makes a sender to the next address.
   * @param timesMax how often one datagram is sent again: once for each other address.
   */
  sendAgain(openSender: (observer: SendObserver) => DatagramSender, timesMax: number): void {
    const after = this.#clock.now() - KEPT_MS;
    const kept = this.#kept.filter(({ at }) => at >= after);
    this.#resent++;
    if (kept.length > 0) {
      const sender = openSender(UNCOUNTED);
      for (const { payload } of kept) if (!sender.blocked) sender.add(payload, 0, payload.length);
      sender.flush();
      sender.drop("unreachable");
    }
    if (this.#resent >= timesMax) this.#clear();
    this.#ended = false;
  }

  #clear(): void {
    this.#kept = [];
    this.#bytes = 0;
    this.#resent = 0;
  }
}

class CopyingSender implements DatagramSender {
  readonly #sender: DatagramSender;
  readonly #firstDatagrams: FirstDatagrams;

  constructor(sender: DatagramSender, firstDatagrams: FirstDatagrams) {
    this.#sender = sender;
    this.#firstDatagrams = firstDatagrams;
  }

  get blocked(): boolean {
    return this.#sender.blocked;
  }

  get held(): number {
    return this.#sender.held;
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    this.#firstDatagrams.keep(bytes, start, length);
    this.#sender.add(bytes, start, length);
  }

  flush(): void {
    this.#sender.flush();
  }

  drop(reason: SendDropReason): void {
    this.#sender.drop(reason);
  }
}
