/**
 * How much may be handed to the kernel now, so that queues beyond our own stay short. Pure: `now` is an argument.
 *
 * There are two such queues. What the kernel has taken and not sent is bounded always. What is in flight fills the
 * buffers of the network once there is more of it than the path holds. The round trip time shows when that first
 * happens; until then the kernel's own congestion control is left alone, as it must find out what the path can carry.
 * From then on, in flight is what the path has lately carried in its least round trip time and a little more. The
 * little more keeps the path full, and finds out when it carries more than before: each measurement may then be higher
 * than the last by that share.
 */

import type { StreamGauge } from "../net/stream-port.ts";
import { PathRate } from "./path-rate.ts";

/** The queue in the network that is meant to be: this long, or a share of the least round trip time. */
const QUEUE_MS = 20;
const QUEUE_SHARE = 1 / 4;
/**
 * That queue holds at least this many segments. With fewer, the peer's delayed acknowledgements would stop everything,
 * and a rate that was once measured as very low could never grow, because less than a segment is not written (seen: 2 %
 * of a path of 20 Mbit/s, for good).
 */
const SEGMENTS_MIN = 2;
/** Where segments are huge (65,483 bytes on loopback), this much is worth a write all the same. */
const WORTHWHILE_BYTES = 1448;
/** Unsent bytes for which there is always room, and for how long the rest may last at the rate the path carries. */
const UNSENT_BYTES_MIN = 16 * 1024;
const UNSENT_MS = 10;

export class SendWindow {
  readonly #unsentBytesMax: number | undefined;
  readonly #boundInFlight: boolean;
  #rate = new PathRate();
  #pathWasFull = false;

  /**
   * @param unsentBytesMax what the kernel may hold unsent; undefined leaves it to the path's rate.
   * @param boundInFlight whether what is in flight is bounded too.
   */
  constructor(unsentBytesMax: number | undefined, boundInFlight: boolean) {
    this.#unsentBytesMax = unsentBytesMax;
    this.#boundInFlight = boundInFlight;
  }

  /** A new stream: nothing is known of its path. */
  reset(): void {
    this.#rate = new PathRate();
    this.#pathWasFull = false;
  }

  /** Nothing waits to be written. */
  onIdle(): void {
    this.#rate.onIdle();
  }

  /** Bytes that may be written now, 0 or less when nothing may; Infinity when the kernel tells nothing of the stream. */
  room(gauge: StreamGauge | undefined, now: number): number {
    if (gauge === undefined) return Infinity;
    this.#rate.observe(gauge.deliveredBytes, gauge.rttMs, now);
    const { bytesPerMs } = this.#rate;
    const unsentMax = this.#unsentBytesMax ?? Math.max(UNSENT_BYTES_MIN, bytesPerMs * UNSENT_MS);
    const room = Math.min(unsentMax - gauge.unsentBytes, this.#inFlightRoom(gauge, bytesPerMs));
    if (room >= Math.min(gauge.mssBytes, WORTHWHILE_BYTES)) return room;
    // All data is acknowledged, so no acknowledgement would ever make room: figures that show less room are wrong.
    if (gauge.unackedBytes === 0) return room > 0 ? room : WORTHWHILE_BYTES;
    // Less than a segment's worth at a time would fill the path with headers (RFC 1122, 4.2.3.4).
    return gauge.inFlightBytes > 0 ? 0 : room;
  }

  #inFlightRoom(gauge: StreamGauge, bytesPerMs: number): number {
    const { minRttMs, rttMs, mssBytes, unsentBytes } = gauge;
    const queueMs = Math.max(QUEUE_MS, minRttMs * QUEUE_SHARE);
    if (rttMs > minRttMs + queueMs && bytesPerMs > 0) this.#pathWasFull = true;
    if (!this.#pathWasFull || !this.#boundInFlight) return Infinity;
    const queueBytes = Math.max(SEGMENTS_MIN * mssBytes, bytesPerMs * queueMs);
    return bytesPerMs * minRttMs + queueBytes - gauge.inFlightBytes - unsentBytes;
  }
}
