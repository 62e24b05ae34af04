/**
 * Detects a peer that is connected and reads nothing. Its receive window stays closed and its kernel answers
 * the probes, so TCP alone never ends the connection. A timer runs only after the stream was full, until the
 * queue is empty.
 */

import type { Clock, Timer } from "../net/clock.ts";
import type { StreamGauge, StreamPort } from "../net/stream-port.ts";

/** How often a full stream is polled. */
const POLL_MS = 1000;

/**
 * After a timeout of the kernel, a peer that took nothing for this share of the limit counts as stalled. The
 * kernel's timeout is 0.8 of the limit and starts a moment before ours.
 */
const KERNEL_SHARE = 0.7;

export class StallDetector {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #timer: Timer | undefined;
  /** When the stream last took data, or became full. */
  #stuckSince = 0;
  #windowClosed = false;

  /** @param limitMs the peer is stalled when the stream has taken nothing for this long. */
  constructor(clock: Clock, limitMs: number, onStall: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onStall = onStall;
  }

  /** The stream takes no more data. */
  onFull(stream: StreamPort): void {
    if (this.#timer !== undefined) return;
    this.#stuckSince = this.#clock.now();
    this.#poll(stream);
  }

  /** The state of the stream has been read. */
  onGauge(gauge: StreamGauge | undefined): void {
    // The peer has everything that was sent, and data is left to send: its window is closed.
    this.#windowClosed = gauge !== undefined && gauge.unsentBytes > 0 && gauge.outstandingBytes <= 0;
  }

  /** The stream has taken data. */
  onProgress(now: number): void {
    this.#stuckSince = now;
  }

  /** The queue is empty, or the stream ended. */
  onIdle(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /**
   * Whether a stream that the kernel has just timed out was stalled: the peer's window was closed at the last
   * poll, and the stream has taken nothing for nearly the limit.
   */
  get stalled(): boolean {
    const stuckMs = this.#clock.now() - this.#stuckSince;
    return this.#timer !== undefined && this.#windowClosed && stuckMs >= this.#limitMs * KERNEL_SHARE;
  }

  #poll(stream: StreamPort): void {
    this.#timer = this.#clock.after(POLL_MS, () => {
      this.onGauge(stream.gauge());
      if (this.#clock.now() - this.#stuckSince >= this.#limitMs) {
        this.#timer = undefined;
        this.#onStall();
      } else {
        this.#poll(stream);
      }
    });
  }
}
