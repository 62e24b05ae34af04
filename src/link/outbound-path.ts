/**
 * From UDP to TCP. The steps of a datagram, in the order of this file:
 *
 *   push    frames it into the queue, its only copy. At a limit, the queue drops the oldest frames.
 *   flush   at the end of the tick, or when FLUSH_BYTES are queued:
 *           1. drops frames that are too old;
 *           2. asks the send window how much the kernel may be given;
 *           3. writes, until the queue is empty or the stream is full.
 *
 * When TCP or the window is full, frames stay in the queue, where they can still be dropped. The next
 * `push`, `onDrain` of the stream or the timer of #flushLater flushes again. If the stream takes nothing for
 * `deadAfterMs`, the stall detector calls `onStall`.
 */

import type { FrameQueue } from "../framing/frame-queue.ts";
import { HEADER_BYTES } from "../framing/header.ts";
import type { Clock, Timer } from "../net/clock.ts";
import type { StreamPort } from "../net/stream-port.ts";
import { TimeSlice } from "../net/time-slice.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import { CoDel, TARGET_MS } from "./codel.ts";
import type { LinkOptions } from "./link-options.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { SendWindow } from "./send-window.ts";
import { StallDetector } from "./stall-detector.ts";

/** `push` flushes when this much is queued: the tick cannot end before Bun has emptied the UDP socket. */
const FLUSH_BYTES = 64 * 1024;
/** When the window is full, it is asked again after this time. */
const WINDOW_RETRY_MS = 2;

export interface OutboundOptions extends Pick<LinkOptions, "clock" | "counters" | "onDemand"> {
  queue: FrameQueue;
  /** Limits what the kernel is given. */
  window: SendWindow;
  /** Frames older than this are dropped, in milliseconds; Infinity for never. */
  maxDelayMs: number;
  /** How long a stream may take nothing before its peer counts as stalled, in milliseconds. */
  deadAfterMs: number;
  /** Whether frames age while there is no stream. */
  agesWithoutStream: boolean;
  /** Memory that the queue shares with other links. */
  budget: MemoryBudget | undefined;
  /** Called when the stream has taken nothing for `deadAfterMs`. */
  onStall: () => void;
}

export class OutboundPath {
  /** While set, datagrams are dropped for this reason, and nothing is written. */
  blockedBy: DropReason | undefined;
  /** While set, datagrams that arrive are dropped as `closing`. Queued frames are still written. */
  stopped = false;
  readonly #options: OutboundOptions;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #queue: FrameQueue;
  readonly #stall: StallDetector;
  readonly #codel = new CoDel();
  readonly #slice: TimeSlice;
  #stream: StreamPort | undefined;
  #retry: Timer | undefined;
  /** When the current flush began. */
  #now = 0;
  /** Bytes of the queue that are counted in the budget. */
  #budgetedBytes = 0;

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#slice = TimeSlice.of(options.clock);
    this.#counters = options.counters;
    this.#queue = options.queue;
    this.#stall = new StallDetector(options.clock, options.deadAfterMs, options.onStall);
  }

  /** A new stream. It begins on a frame boundary. */
  open(stream: StreamPort): void {
    this.#stream = stream;
    this.#options.window.reset();
    if (!this.#options.agesWithoutStream) this.#queue.restartAges(this.#clock.now());
  }

  /** Queues a datagram. @param payload copied before return. */
  push(payload: Uint8Array, now: number): void {
    const { budget, agesWithoutStream, onDemand } = this.#options;
    const { outbound } = this.#counters;
    if (this.stopped) return outbound.dropReceived(payload, "closing");
    if (this.blockedBy !== undefined) {
      outbound.dropReceived(payload, this.blockedBy);
      return onDemand?.();
    }
    if (budget?.allows(HEADER_BYTES + payload.length) === false)
      return outbound.dropReceived(payload, "queue full");
    outbound.received++;
    outbound.receivedBytes += payload.length;
    if (this.#stream === undefined && agesWithoutStream) this.#expire(now);
    const dropped = this.#queue.push(payload, now);
    if (dropped > 0) outbound.drop("queue full", dropped);
    this.#updateBudget();
    if (this.#stream === undefined) return onDemand?.();
    if (this.#queue.bytes >= FLUSH_BYTES) this.flush();
    else this.#slice.atEndOfTick(this.#onEndOfTick);
  }

  readonly #onEndOfTick = (): void => this.flush();

  /** Writes queued frames, as far as the window allows and the stream takes them. */
  flush(): void {
    const stream = this.#stream;
    if (stream === undefined || this.blockedBy !== undefined) return;
    this.#now = this.#clock.now();
    this.#expire(this.#now);
    while (this.#writeSome(stream)) {
      // until the queue is empty, or the window or the stream is full
    }
    this.#updateBudget();
  }

  /** Drops frames older than `maxDelayMs`; in a standing queue, all frames older than CoDel's target. */
  #expire(now: number): void {
    const { maxDelayMs } = this.#options;
    const { outbound } = this.#counters;
    const expired = this.#queue.dropPushedBefore(now - maxDelayMs);
    if (expired > 0) outbound.drop("expired", expired);
    if (maxDelayMs === Infinity || !this.#codel.okToDrop(now)) return;
    outbound.drop("standing queue", this.#queue.dropPushedBefore(now - TARGET_MS));
  }

  /** Makes one write. @returns whether another may follow. */
  #writeSome(stream: StreamPort): boolean {
    if (this.#queue.bytes === 0) {
      this.#options.window.onIdle();
      this.#codel.onEmpty();
      this.#stall.onIdle();
      return false;
    }
    const room = this.#room(stream);
    if (room <= 0) {
      this.#stall.onFull(stream);
      this.#flushLater();
      return false;
    }
    const bytes = this.#queue.peek(room);
    const taken = stream.write(bytes);
    if (taken > 0) {
      this.#counters.outbound.sent += this.#queue.consume(taken, this.#onFrame);
      this.#counters.outbound.sentBytes += taken;
      this.#counters.writes++;
      this.#options.window.onWritten(taken);
      this.#stall.onProgress(this.#now);
    }
    if (taken === bytes.length) return true;
    if (taken >= 0)
      this.#stall.onFull(stream); // `onDrain` follows
    else stream.terminate(); // The connection has failed. `write` got the error, so Bun would report a FIN.
    return false;
  }

  /** How many bytes may be written now. Reads the kernel's figures unless the last ones allow all. */
  #room(stream: StreamPort): number {
    const { window } = this.#options;
    const { bytes } = this.#queue;
    if (window.allows(bytes, this.#now)) return bytes;
    const gauge = stream.gauge();
    this.#stall.onGauge(gauge);
    return window.room(gauge, this.#now);
  }

  /** The stream has taken the first byte of a frame. */
  readonly #onFrame = (pushedAt: number): void => {
    const waitedMs = this.#now - pushedAt;
    this.#counters.delay.record(waitedMs);
    this.#codel.onFrame(waitedMs, this.#now);
  };

  /** The window is full. No event reports when it has room again. */
  #flushLater(): void {
    this.#retry ??= this.#clock.after(WINDOW_RETRY_MS, () => {
      this.#retry = undefined;
      this.flush();
    });
  }

  #updateBudget(): void {
    const { budget } = this.#options;
    if (budget === undefined) return;
    const { bytes } = this.#queue;
    budget.changeQueued(bytes - this.#budgetedBytes);
    this.#budgetedBytes = bytes;
  }

  /** The stream ended. A partly written frame is lost with it; whole frames stay for the next stream. */
  close(): void {
    this.#stream = undefined;
    this.#stall.onIdle();
    this.#codel.onEmpty();
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#counters.outbound.drop("stream lost", this.#queue.startStream());
    this.#updateBudget();
  }

  /** Drops all queued frames. */
  drop(reason: DropReason): void {
    let frames = this.#queue.startStream();
    while (this.#queue.dropOldest()) frames++;
    this.#counters.outbound.drop(reason, frames);
    this.#updateBudget();
  }

  /** Releases memory that an empty queue does not need. */
  shrink(): void {
    this.#queue.shrink();
  }

  /** Queued datagrams. */
  get held(): number {
    return this.#queue.frames;
  }

  /** Queued bytes, headers included. */
  get queueBytes(): number {
    return this.#queue.bytes;
  }

  /** See `StallDetector.stalled`. */
  get stalled(): boolean {
    return this.#stall.stalled;
  }
}
