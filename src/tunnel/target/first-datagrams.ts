/**
 * Keeps the first datagrams of each second that are sent to an address which has not answered yet. A refusal comes only
 * after the kernel has taken them. They are kept for that second, to be sent again to the target's next address.
 */

import type { Clock } from "../../net/clock.ts";
import type { DatagramSender, SendDropReason, SendObserver } from "../../net/datagram-port.ts";

const KEPT_DATAGRAMS_MAX = 4;
const KEPT_BYTES_MAX = 4096;
/** Datagrams older than this are not sent again: their sender no longer waits for an answer. */
const KEPT_MS = 1000;

/** They were counted when they were sent for the first time. */
const UNCOUNTED: SendObserver = { onSent() {}, onSendDropped() {}, onWritable() {} };

export class FirstDatagrams {
  readonly #clock: Clock;
  #kept: { payload: Uint8Array; at: number }[] = [];
  #bytes = 0;
  #resent = 0;
  #over = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A sender that passes datagrams on to this one, and keeps the first. */
  through(sender: DatagramSender): DatagramSender {
    return new KeepingSender(sender, this);
  }

  /** @param bytes copied before return. */
  keep(bytes: Uint8Array, start: number, length: number): void {
    if (this.#over || length > KEPT_BYTES_MAX) return;
    const now = this.#clock.now();
    if (this.#kept.length >= KEPT_DATAGRAMS_MAX || this.#bytes + length > KEPT_BYTES_MAX) {
      const [oldest] = this.#kept;
      if (oldest !== undefined && now - oldest.at < KEPT_MS) return;
      this.#clear();
    }
    this.#kept.push({ payload: bytes.slice(start, start + length), at: now });
    this.#bytes += length;
  }

  /** The address has answered: nothing is kept from now on. */
  end(): void {
    if (this.#over) return;
    this.#clear();
    this.#over = true;
  }

  /**
   * The address has refused them: sends them to the next.
   *
   * @param sender makes a sender to the next address.
   * @param timesMax how often one datagram is sent again: once for each other address.
   */
  sendAgain(sender: (report: SendObserver) => DatagramSender, timesMax: number): void {
    const after = this.#clock.now() - KEPT_MS;
    const kept = this.#kept.filter(({ at }) => at >= after);
    this.#resent++;
    if (kept.length > 0) {
      const again = sender(UNCOUNTED);
      for (const { payload } of kept) if (!again.blocked) again.add(payload, 0, payload.length);
      again.flush();
      again.drop("unreachable");
    }
    if (this.#resent >= timesMax) this.#clear();
    this.#over = false;
  }

  #clear(): void {
    this.#kept = [];
    this.#bytes = 0;
    this.#resent = 0;
  }
}

class KeepingSender implements DatagramSender {
  readonly #sender: DatagramSender;
  readonly #first: FirstDatagrams;

  constructor(sender: DatagramSender, first: FirstDatagrams) {
    this.#sender = sender;
    this.#first = first;
  }

  get blocked(): boolean {
    return this.#sender.blocked;
  }

  get held(): number {
    return this.#sender.held;
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    this.#first.keep(bytes, start, length);
    this.#sender.add(bytes, start, length);
  }

  flush(): void {
    this.#sender.flush();
  }

  drop(reason: SendDropReason): void {
    this.#sender.drop(reason);
  }
}
