/** Checks received datagrams: loss, duplicates, reordering, corruption and latency. */

import { COUNTED, headerHolds, readPhase, readSentNs, readSequence, readSource, TAIL } from "./payload.ts";

/** Percentiles every report carries, from the shortest latency to the longest. */
export const PERCENTILES = [0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] as const;

/**
 * The report of a sink, or of a generator about its answers. Times are in microseconds unless the name has
 * another unit.
 */
export interface TallyReport {
  /** Counted datagrams that arrived, without duplicates. */
  received: number;
  duplicates: number;
  /** Datagrams that arrived after one with a higher number from the same source. */
  reordered: number;
  /** Datagrams with a wrong header or pattern. */
  corrupt: number;
  /** Datagrams of the warm-up and the tail. */
  uncounted: number;
  /** Those of the tail. */
  tail: number;
  /** The number of sources. */
  sources: number;
  /** Seconds from the first counted arrival to the last. */
  spanS: number;
  /** The longest time without a counted arrival, and its end on the receiver's monotonic clock. */
  gapS: number;
  gapEndNs: number;
  /** One-way latency at each of {@link PERCENTILES}; empty when no datagram arrived. */
  latencyUs: number[];
  /** Whether the two clocks differ. Latencies are then relative to the shortest one. */
  latencyAboveShortest: boolean;
  /** Delay over time: seconds since the first arrival, and median and 99th percentile of each interval. */
  timeline: { atS: number; p50Us: number; p99Us: number }[];
  /** The same figures for parts of the counted datagrams, in the order of {@link Tally}'s ranges. */
  parts: TallyPart[];
}

/** Counted datagrams with the numbers `from <= number < to`. */
export interface Range {
  from: number;
  to: number;
}

export interface TallyPart {
  received: number;
  /** One-way latency at each of {@link PERCENTILES}; empty when no datagram arrived. */
  latencyUs: number[];
}

/** Room without growing, which would delay datagrams: over a minute at the highest latency rate. */
const FIRST_ROOM = 1 << 20;
/** The most latencies that are kept. Later datagrams are still counted and checked. */
const LATENCIES_MAX = 1 << 24;
const TIMELINE_POINTS = 100;
/** A latency above this means that the two clocks differ. */
const SAME_CLOCK_US = 60e6;

/** Counts datagrams. It keeps every latency, so that percentiles are exact. */
export class Tally {
  received = 0;
  duplicates = 0;
  reordered = 0;
  corrupt = 0;
  uncounted = 0;
  /** Datagrams of the tail. With the first one, counting has ended. */
  tail = 0;
  #seen = new Uint8Array(FIRST_ROOM);
  #highest = new Int32Array(16).fill(-1);
  #latencies = new Float32Array(FIRST_ROOM);
  #arrivals = new Float32Array(FIRST_ROOM);
  #sequences = new Uint32Array(FIRST_ROOM);
  readonly #ranges: readonly Range[];
  #kept = 0;
  #firstNs = 0;
  #lastNs = 0;
  #gapNs = 0;
  #gapEndNs = 0;

  /** @param ranges parts of the load to report separately. They may overlap. */
  constructor(ranges: readonly Range[] = []) {
    this.#ranges = ranges;
  }

  /**
   * Counts a datagram of `length` bytes at `at`.
   *
   * @param patternHolds whether the bytes after the header are the pattern of a sequence number.
   */
  add(
    view: DataView,
    at: number,
    length: number,
    nowNs: number,
    patternHolds: (at: number, length: number, sequence: number) => boolean,
  ): void {
    const sequence = headerHolds(view, at, length) ? readSequence(view, at) : -1;
    if (sequence < 0 || !patternHolds(at, length, sequence)) {
      this.corrupt++;
      return;
    }
    const phase = readPhase(view, at);
    if (phase !== COUNTED) {
      this.uncounted++;
      if (phase === TAIL) this.tail++;
      return;
    }
    if (this.#seenBefore(sequence)) {
      this.duplicates++;
      return;
    }
    this.#noteOrder(readSource(view, at), sequence);
    this.#noteTime(sequence, readSentNs(view, at), nowNs);
    this.received++;
  }

  report(): TallyReport {
    const latencies = this.#latencies.subarray(0, this.#kept);
    const sorted = latencies.slice().sort();
    const shortest = sorted[0] ?? 0;
    const clocksDiffer = Math.abs(shortest) > SAME_CLOCK_US || shortest < 0;
    const origin = clocksDiffer ? shortest : 0;
    return {
      received: this.received,
      duplicates: this.duplicates,
      reordered: this.reordered,
      corrupt: this.corrupt,
      uncounted: this.uncounted,
      tail: this.tail,
      sources: this.#highest.reduce((sum, highest) => sum + (highest >= 0 ? 1 : 0), 0),
      spanS: (this.#lastNs - this.#firstNs) / 1e9,
      gapS: this.#gapNs / 1e9,
      gapEndNs: this.#gapEndNs,
      latencyUs: percentiles(sorted, origin),
      latencyAboveShortest: clocksDiffer,
      timeline: this.#timeline(origin),
      parts: this.#ranges.map((range) => this.#part(range, origin)),
    };
  }

  #part({ from, to }: Range, origin: number): TallyPart {
    const sorted = this.#latencies
      .subarray(0, this.#kept)
      .filter((_, index) => {
        const sequence = this.#sequences[index] as number;
        return sequence >= from && sequence < to;
      })
      .sort();
    return { received: sorted.length, latencyUs: percentiles(sorted, origin) };
  }

  #seenBefore(sequence: number): boolean {
    const byte = sequence >>> 3;
    const bit = 1 << (sequence & 7);
    if (byte >= this.#seen.length) this.#seen = grown(this.#seen, new Uint8Array(2 * byte));
    const bits = this.#seen[byte] as number;
    this.#seen[byte] = bits | bit;
    return (bits & bit) !== 0;
  }

  #noteOrder(source: number, sequence: number): void {
    if (source >= this.#highest.length) {
      const wider = new Int32Array(2 * source).fill(-1);
      wider.set(this.#highest);
      this.#highest = wider;
    }
    if (sequence < (this.#highest[source] as number)) this.reordered++;
    else this.#highest[source] = sequence;
  }

  #noteTime(sequence: number, sentNs: number, nowNs: number): void {
    if (this.received === 0) this.#firstNs = nowNs;
    else if (nowNs - this.#lastNs > this.#gapNs) {
      this.#gapNs = nowNs - this.#lastNs;
      this.#gapEndNs = nowNs;
    }
    this.#lastNs = nowNs;
    if (this.#kept === LATENCIES_MAX) return;
    if (this.#kept === this.#latencies.length) {
      this.#latencies = grown(this.#latencies, new Float32Array(2 * this.#kept));
      this.#arrivals = grown(this.#arrivals, new Float32Array(2 * this.#kept));
      this.#sequences = grown(this.#sequences, new Uint32Array(2 * this.#kept));
    }
    this.#latencies[this.#kept] = (nowNs - sentNs) / 1000;
    this.#arrivals[this.#kept] = (nowNs - this.#firstNs) / 1e9;
    this.#sequences[this.#kept] = sequence;
    this.#kept++;
  }

  #timeline(shortest: number): TallyReport["timeline"] {
    const points: TallyReport["timeline"] = [];
    const sliceS = Math.max((this.#arrivals[this.#kept - 1] ?? 0) / TIMELINE_POINTS, 0.01);
    let from = 0;
    while (from < this.#kept) {
      const atS = this.#arrivals[from] as number;
      let to = from + 1;
      while (to < this.#kept && (this.#arrivals[to] as number) < atS + sliceS) to++;
      const slice = this.#latencies.slice(from, to).sort();
      points.push({
        atS: round(atS, 1000),
        p50Us: round(quantile(slice, 50) - shortest),
        p99Us: round(quantile(slice, 99) - shortest),
      });
      from = to;
    }
    return points;
  }
}

/** The values at each of PERCENTILES above `origin`; empty when there are none. */
function percentiles(sorted: Float32Array, origin: number): number[] {
  return sorted.length === 0 ? [] : PERCENTILES.map((percent) => round(quantile(sorted, percent) - origin));
}

/** The percentile of ascending values (nearest rank); 0 when there are none. */
export function quantile(sorted: ArrayLike<number>, percent: number): number {
  const rank = Math.ceil((percent / 100) * sorted.length) - 1;
  return sorted[Math.max(0, rank)] ?? 0;
}

function grown<T extends Uint8Array | Uint32Array | Float32Array>(from: T, into: T): T {
  into.set(from);
  return into;
}

function round(value: number, steps = 10): number {
  return Math.round(value * steps) / steps;
}
