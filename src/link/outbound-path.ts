/**
 * From UDP into TCP. A datagram's steps:
 *
 *   push    framed into the queue: its one copy. The oldest are dropped where limits ask for it.
 *   flush   at the end of the turn, or sooner when much is queued: drop what waited too long, ask the window how much
 *           the kernel may be given, write, until the queue is empty or the stream full
 */

import type { FrameQueue } from "../framing/frame-queue.ts";
import { HEADER_BYTES } from "../framing/header.ts";
import type { Clock, Timer } from "../net/clock.ts";
import type { StreamPort } from "../net/stream-port.ts";
import { TimeSlice } from "../net/time-slice.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import { CoDel, TARGET_MS } from "./codel.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { SendWindow } from "./send-window.ts";
import { StallDetector } from "./stall-detector.ts";

/** Queued bytes that are written at once, without waiting for the end of the turn: Bun hands out datagrams without end. */
const FLUSH_BYTES = 64 * 1024;
/** When the window is full, it is asked again after this. */
const WINDOW_RETRY_MS = 2;

export interface OutboundOptions {
  clock: Clock;
  counters: Counters;
  queue: FrameQueue;
  /** How much the kernel may be given. */
  window: SendWindow;
  /** Frames older than this are dropped, in milliseconds; Infinity for never. */
  maxDelayMs: number;
  /** How long a stream may take nothing before its peer counts as stalled, in milliseconds. */
  deadAfterMs: number;
  /** Whether time in the queue counts while there is no stream. */
  agesWithoutStream: boolean;
  /** Memory the queue shares with others. */
  budget?: MemoryBudget | undefined;
  /** Called when a datagram arrives while there is no stream, or may not be relayed yet. */
  onDemand?: (() => void) | undefined;
  /** Called when the stream has taken nothing for `deadAfterMs`. */
  onStall: () => void;
}

export class OutboundPath {
  /** While set, nothing is written, and datagrams are dropped for this reason. */
  blockedBy: DropReason | undefined;
  /** The tunnel is closing: datagrams are dropped as `closing`. Queued data is still written. */
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
  #now = 0;
  #budgetedBytes = 0;

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#slice = TimeSlice.of(options.clock);
    this.#counters = options.counters;
    this.#queue = options.queue;
    this.#stall = new StallDetector(options.clock, options.deadAfterMs, options.onStall);
  }

  /** Datagrams that wait. */
  get held(): number {
    return this.#queue.frames;
  }

  /** Bytes that wait, headers included. */
  get queueBytes(): number {
    return this.#queue.bytes;
  }

  /** Whether the peer has been there for long and taken nothing. */
  get stalled(): boolean {
    return this.#stall.stalled;
  }

  /** Takes a datagram that may be relayed. @param payload copied before return. */
  push(payload: Uint8Array, now: number): void {
    const { budget, agesWithoutStream, onDemand } = this.#options;
    const { outbound } = this.#counters;
    if (this.stopped) return outbound.refuse(payload, "closing");
    if (this.blockedBy !== undefined) {
      outbound.refuse(payload, this.blockedBy);
      return onDemand?.();
    }
    if (budget?.allows(HEADER_BYTES + payload.length) === false)
      return outbound.refuse(payload, "queue full");
    outbound.received++;
    outbound.receivedBytes += payload.length;
    if (this.#stream === undefined && agesWithoutStream) this.#expire(now);
    const dropped = this.#queue.push(payload, now);
    if (dropped > 0) outbound.drop("queue full", dropped);
    this.#accountForQueue();
    if (this.#stream === undefined) return onDemand?.();
    if (this.#queue.bytes >= FLUSH_BYTES) this.flush();
    else this.#slice.atEndOfTick(this.#flushAtEnd);
  }

  readonly #flushAtEnd = (): void => this.flush();

  /** Writes what is queued, as far as the stream takes it and the window allows. */
  flush(): void {
    const stream = this.#stream;
    if (stream === undefined || this.blockedBy !== undefined) return;
    this.#now = this.#clock.now();
    this.#expire(this.#now);
    while (this.#writeSome(stream)) {
      // until the queue is empty or the stream is full
    }
    this.#accountForQueue();
  }

  /** Goes on with a new stream, which begins on a frame boundary. */
  open(stream: StreamPort): void {
    this.#stream = stream;
    this.#options.window.reset();
    if (!this.#options.agesWithoutStream) this.#queue.restartAges(this.#clock.now());
  }

  /** Goes on without a stream. What was lost with it is counted; whole frames stay for the next. */
  close(): void {
    this.#stream = undefined;
    this.#stall.onIdle();
    this.#codel.onEmpty();
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#counters.outbound.drop("stream lost", this.#queue.startStream());
    this.#accountForQueue();
  }

  /** Drops everything that waits. */
  drop(reason: DropReason): void {
    let frames = this.#queue.startStream();
    while (this.#queue.dropOldest()) frames++;
    this.#counters.outbound.drop(reason, frames);
    this.#accountForQueue();
  }

  /** Gives back memory that is not needed while nothing happens. */
  shrink(): void {
    this.#queue.shrink();
  }

  /** One write. Says whether another may follow. */
  #writeSome(stream: StreamPort): boolean {
    if (this.#queue.bytes === 0) {
      this.#options.window.onIdle();
      this.#codel.onEmpty();
      this.#stall.onIdle();
      return false;
    }
    const gauge = stream.gauge();
    this.#stall.onGauge(gauge);
    const room = this.#options.window.room(gauge, this.#now);
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
      this.#stall.onProgress();
    }
    if (taken === bytes.length) return true;
    if (taken >= 0)
      this.#stall.onFull(stream); // onDrain will come
    else stream.terminate(); // gone, and `write` has taken the error: Bun would tell of it as of a FIN
    return false;
  }

  /** The stream begins to take a frame. */
  readonly #onFrame = (pushedAt: number): void => {
    const waitedMs = this.#now - pushedAt;
    this.#counters.delay.record(waitedMs);
    this.#codel.onFrame(waitedMs, this.#now);
  };

  /** The window is full, and nobody tells when it no longer is. */
  #flushLater(): void {
    this.#retry ??= this.#clock.after(WINDOW_RETRY_MS, () => {
      this.#retry = undefined;
      this.flush();
    });
  }

  /** Drops from the head what has waited too long, or shorter when all have waited: then the queue stands. */
  #expire(now: number): void {
    const { maxDelayMs } = this.#options;
    const { outbound } = this.#counters;
    const expired = this.#queue.dropPushedBefore(now - maxDelayMs);
    if (expired > 0) outbound.drop("expired", expired);
    if (maxDelayMs === Infinity || !this.#codel.stands(now)) return;
    outbound.drop("standing queue", this.#queue.dropPushedBefore(now - TARGET_MS));
  }

  #accountForQueue(): void {
    const { budget } = this.#options;
    if (budget === undefined) return;
    const { bytes } = this.#queue;
    budget.change(bytes - this.#budgetedBytes);
    this.#budgetedBytes = bytes;
  }
}
