/**
 * Notices a peer that is there and reads nothing: its window stays closed, so that TCP itself has no reason to end the
 * connection. Costs nothing while the stream takes what it is given.
 */

import type { Clock, Timer } from "../net/clock.ts";
import type { StreamGauge, StreamPort } from "../net/stream-port.ts";

/** How often a full stream is looked at. */
const LOOK_MS = 1000;

/** The kernel gives up after 0.8 of the limit, counted from a moment before ours. */
const KERNEL_SHARE = 0.7;

export class StallDetector {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #timer: Timer | undefined;
  #since = 0;
  #windowWasClosed = false;

  /** @param limitMs how long a stream may take nothing. */
  constructor(clock: Clock, limitMs: number, onStall: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onStall = onStall;
  }

  /**
   * Whether the peer's window was closed when last looked at, and nothing has been taken for nearly as long as a stall
   * lasts: the kernel's own timeout ends such a stream a little sooner than this watch does.
   */
  get stalled(): boolean {
    const lastedMs = this.#clock.now() - this.#since;
    return this.#timer !== undefined && this.#windowWasClosed && lastedMs >= this.#limitMs * KERNEL_SHARE;
  }

  /** The stream has been looked at. */
  onGauge(gauge: StreamGauge | undefined): void {
    // All that was sent has arrived, though something is there to be sent: the peer is there and has no room.
    this.#windowWasClosed = gauge !== undefined && gauge.unsentBytes > 0 && gauge.outstandingBytes <= 0;
  }

  /** The stream is full. */
  onFull(stream: StreamPort): void {
    if (this.#timer !== undefined) return;
    this.#since = this.#clock.now();
    this.#look(stream);
  }

  /** The stream has taken something. */
  onProgress(): void {
    this.#since = this.#clock.now();
  }

  /** Nothing waits to be written. */
  onIdle(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(stream: StreamPort): void {
    this.#timer = this.#clock.after(LOOK_MS, () => {
      this.onGauge(stream.gauge());
      if (this.#clock.now() - this.#since >= this.#limitMs) {
        this.#timer = undefined;
        this.#onStall();
      } else {
        this.#look(stream);
      }
    });
  }
}
