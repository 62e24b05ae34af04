/**
 * Limits what the kernel is given, so that the queues beyond ours stay short. Pure: `now` is an argument.
 *
 * There are two such queues:
 *
 * - Unsent data in the kernel. It is always limited.
 * - Data in flight. When there is more of it than the path holds, it fills the buffers of the network. The
 *   round trip time shows when that first happens. Until then the kernel's congestion control alone decides,
 *   because it must find out what the path can carry. From then on, the limit is what the path lately carried
 *   in its least round trip time, plus a margin. The margin keeps the path full. It also lets the limit
 *   follow a path that becomes faster: each measurement can exceed the last one by that share.
 *
 * The kernel's figures need not be read before every write (`allows`): without a write, both queues only
 * become shorter. So the bytes that one reading allows can be given in several writes.
 */

import type { StreamGauge } from "../net/stream-port.ts";

/** The margin, as a queue in the network: this long, or this share of the least round trip time. */
const QUEUE_MS = 20;
const QUEUE_SHARE = 1 / 4;
/**
 * The margin is at least this many segments. With fewer, the peer's delayed acknowledgements would stop all
 * sending. A rate once measured as very low could then never grow, because less than a segment is not written
 * (seen: 2 % of a path of 20 Mbit/s, permanently).
 */
const SEGMENTS_MIN = 2;
/** Room for this much is worth a write where segments are larger (65,483 bytes on loopback). */
const WRITE_BYTES_MIN = 1448;
/** Limits of unsent data: this many bytes, or what the path carries in this time, whichever is more. */
const UNSENT_BYTES_MIN = 16 * 1024;
const UNSENT_MS = 10;

/**
 * How long one reading of the kernel's figures is used. The window notices a full path this much later: a
 * quarter of the shortest queue that makes a path count as full.
 */
const READING_MS = QUEUE_MS / 4;

/** One measurement of the path's rate takes this long, or one round trip if that is longer. */
const MEASURE_MS = 40;
/** The highest of the last N measurements counts: acknowledgements come in lumps, processes are delayed. */
const MEASUREMENTS = 5;

export class SendWindow {
  readonly #unsentBytesMax: number | undefined;
  readonly #limitsInFlight: boolean;
  #rate = new PathRate();
  #pathWasFull = false;
  /** What the last reading of the kernel's figures allows to write, and when it was made. */
  #room = 0;
  #readAt = -Infinity;

  /**
   * @param unsentBytesMax limit of unsent data in the kernel; undefined derives it from the path's rate.
   * @param limitsInFlight whether data in flight is limited too.
   */
  constructor(unsentBytesMax: number | undefined, limitsInFlight: boolean) {
    this.#unsentBytesMax = unsentBytesMax;
    this.#limitsInFlight = limitsInFlight;
  }

  /** A new stream begins: its path is unknown. */
  reset(): void {
    this.#rate = new PathRate();
    this.#pathWasFull = false;
    this.#room = 0;
  }

  /** Whether this many bytes may be written by the last call of `room`. If not, call it with new figures. */
  allows(bytes: number, now: number): boolean {
    return bytes <= this.#room && now - this.#readAt < READING_MS;
  }

  /** The kernel has taken this many bytes. */
  onWritten(bytes: number): void {
    this.#room -= bytes;
  }

  /** The queue is empty. */
  onIdle(): void {
    this.#rate.onIdle();
  }

  /** How many bytes may be written now; 0 or less for none; Infinity when the kernel reports no figures. */
  room(gauge: StreamGauge | undefined, now: number): number {
    this.#readAt = now;
    this.#room = gauge === undefined ? Infinity : this.#roomBy(gauge, now);
    return this.#room;
  }

  #roomBy(gauge: StreamGauge, now: number): number {
    this.#rate.observe(gauge.deliveredBytes, gauge.rttMs, now);
    const { bytesPerMs } = this.#rate;
    const unsentMax = this.#unsentBytesMax ?? Math.max(UNSENT_BYTES_MIN, bytesPerMs * UNSENT_MS);
    const room = Math.min(unsentMax - gauge.unsentBytes, this.#inFlightRoom(gauge, bytesPerMs));
    if (room >= Math.min(gauge.mssBytes, WRITE_BYTES_MIN)) return room;
    // All data is acknowledged, so no acknowledgement makes room later. Less room must be a wrong figure.
    if (gauge.unackedBytes === 0) return room > 0 ? room : WRITE_BYTES_MIN;
    // Writes of less than a segment would fill the path with headers (RFC 1122, 4.2.3.4).
    return gauge.inFlightBytes > 0 ? 0 : room;
  }

  #inFlightRoom(gauge: StreamGauge, bytesPerMs: number): number {
    const { minRttMs, rttMs, mssBytes, unsentBytes } = gauge;
    const queueMs = Math.max(QUEUE_MS, minRttMs * QUEUE_SHARE);
    if (rttMs > minRttMs + queueMs && bytesPerMs > 0) this.#pathWasFull = true;
    if (!this.#pathWasFull || !this.#limitsInFlight) return Infinity;
    const queueBytes = Math.max(SEGMENTS_MIN * mssBytes, bytesPerMs * queueMs);
    return bytesPerMs * minRttMs + queueBytes - gauge.inFlightBytes - unsentBytes;
  }
}

/**
 * Measures what a path carries, by the bytes that reach the peer.
 *
 * The kernel's own estimate (tcpi_delivery_rate) cannot be used. While the application limits itself, which
 * is what the window does, the kernel replaces a rate only by a higher one. Seen: permanently 8.7 Mbit/s on a
 * path of 2 Mbit/s.
 */
export class PathRate {
  readonly #measurements = new Float64Array(MEASUREMENTS);
  #index = 0;
  #observedAt = -Infinity;
  /** Where the current measurement began: the time, and the bytes delivered by then. */
  #beganAt = 0;
  #deliveredBytes = 0;
  /** Whether the queue had data during the whole measurement. */
  #busy = false;

  /** The rate; 0 before the first measurement. */
  get bytesPerMs(): number {
    let highest = 0;
    for (let index = 0; index < MEASUREMENTS; index++) {
      highest = Math.max(highest, this.#measurements[index] as number);
    }
    return highest;
  }

  /** @param deliveredBytes all bytes that have reached the peer up to now. */
  observe(deliveredBytes: number, rttMs: number, now: number): void {
    const measureMs = Math.max(MEASURE_MS, rttMs);
    const unobservedMs = now - this.#observedAt;
    this.#observedAt = now;
    // The bytes delivered in a long gap between observations do not show what the path could carry.
    if (unobservedMs < measureMs * 2) {
      const elapsedMs = now - this.#beganAt;
      // While nothing arrives the path is interrupted, and a measurement would not show its rate either.
      if (elapsedMs < measureMs || deliveredBytes === this.#deliveredBytes) return;
      this.#record((deliveredBytes - this.#deliveredBytes) / elapsedMs);
    }
    this.#beganAt = now;
    this.#deliveredBytes = deliveredBytes;
    this.#busy = true;
  }

  /** The queue is empty: the current measurement can then raise the rate, but not lower it. */
  onIdle(): void {
    this.#busy = false;
  }

  #record(bytesPerMs: number): void {
    if (!this.#busy && bytesPerMs <= this.bytesPerMs) return;
    this.#measurements[this.#index] = bytesPerMs;
    this.#index = (this.#index + 1) % MEASUREMENTS;
  }
}
