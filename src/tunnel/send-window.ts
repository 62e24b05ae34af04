/**
 * How much may be handed to the kernel now, so that queues beyond our own stay short. Pure.
 *
 * There are two such queues. What the kernel has taken and not sent is bounded always. What is in flight fills the
 * buffers of the network once there is more of it than the path holds; that shows as a round trip time above its
 * minimum, and only then is it bounded, by what the path has lately carried in the time it should take. While no queue
 * shows, the kernel's own congestion control is left alone: bounded from the start it never learns what a long path
 * can carry (measured: a third of the rate lost at 50 Mbit/s and 200 ms).
 */

import type { StreamGauge } from "../net/stream-port.ts";

/** A queue of the network shows when the round trip takes longer than its least by this much, or by a quarter. */
const QUEUE_MS = 20;
const QUEUE_SHARE = 1 / 4;
/** In flight there is always room for this many segments, else the peer's delayed acknowledgements stop everything. */
const SEGMENTS_MIN = 2;
/** Unsent bytes for which there is always room, and for how long the rest may last at the rate the path carries. */
const UNSENT_BYTES_MIN = 16 * 1024;
const UNSENT_MS = 10;

export class SendWindow {
  readonly #unsentBytesMax: number | undefined;
  readonly #boundInFlight: boolean;

  /**
   * @param unsentBytesMax what the kernel may hold unsent; undefined leaves it to the path's rate.
   * @param boundInFlight whether what is in flight is bounded too.
   */
  constructor(unsentBytesMax: number | undefined, boundInFlight: boolean) {
    this.#unsentBytesMax = unsentBytesMax;
    this.#boundInFlight = boundInFlight;
  }

  /** Bytes that may be written now, 0 or less when nothing may; Infinity when the kernel tells nothing of the stream. */
  room(gauge: StreamGauge | undefined): number {
    if (gauge === undefined) return Infinity;
    const { unsentBytes, rateBytesPerMs } = gauge;
    const unsentMax = this.#unsentBytesMax ?? Math.max(UNSENT_BYTES_MIN, rateBytesPerMs * UNSENT_MS);
    const room = unsentMax - unsentBytes;
    return this.#boundInFlight ? Math.min(room, inFlightRoom(gauge)) : room;
  }
}

function inFlightRoom(gauge: StreamGauge): number {
  const { minRttMs, rttMs, rateBytesPerMs, mssBytes, inFlightBytes, unsentBytes } = gauge;
  const queueMs = Math.max(QUEUE_MS, minRttMs * QUEUE_SHARE);
  if (rttMs <= minRttMs + queueMs) return Infinity;
  const path = Math.max(SEGMENTS_MIN * mssBytes, rateBytesPerMs * (minRttMs + queueMs));
  return path - inFlightBytes - unsentBytes;
}
