/**
 * A link joins one UDP socket and one TCP stream. This is the way of every datagram:
 *
 *   outbound   onDatagram -> FrameQueue -> flush -> stream.write     one copy, one write per turn of the event loop
 *   inbound    onChunk -> FrameDecoder -> sender.add ... flush       no copy, one system call for many datagrams
 *
 * The link outlives its streams: it is given one by `attach` and holds what it cannot send until the next.
 */

import { FrameDecoder } from "../framing/frame-decoder.ts";
import type { FrameQueue } from "../framing/frame-queue.ts";
import {
  HEADER_BYTES,
  PAYLOAD_BYTES_MAX,
  UDP4_PAYLOAD_BYTES_MAX,
  UDP6_PAYLOAD_BYTES_MAX,
} from "../framing/header.ts";
import type { Clock, Timer } from "../net/clock.ts";
import type { DatagramSender, SendDropReason, SendReport } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import type { StreamStats } from "../observe/stats.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { SendWindow } from "./send-window.ts";
import { StallWatch } from "./stall-watch.ts";
import { StandingQueue, TARGET_MS } from "./standing-queue.ts";
import { StreamWatch } from "./stream-watch.ts";

/** Queued bytes that are written at once, without waiting for the end of the turn: Bun hands out datagrams without end. */
const FLUSH_BYTES = 64 * 1024;
/** When the window is full, it is asked again after this. */
const WINDOW_RETRY_MS = 2;

/** Why a stream is no longer of use. */
export type StreamEnd =
  /** The peer sent FIN: it may still read. */
  | { by: "peer" }
  /** The peer is there, and has taken nothing for too long. */
  | { by: "stall" }
  /** The stream is gone, with the operating system's word for it if there is one. */
  | { by: "error"; code: string | undefined };

export interface LinkOptions {
  clock: Clock;
  counters: Counters;
  queue: FrameQueue;
  /** Frames older than this are dropped, in milliseconds; Infinity for never. */
  maxDelayMs: number;
  /** The same for what has come and waits for a sender that is blocked. Default: `maxDelayMs`. */
  inboundDelayMs?: number | undefined;
  /** How much the kernel may be given. */
  window: SendWindow;
  /** How long a stream may take nothing before its peer counts as stalled, in milliseconds. */
  deadAfterMs: number;
  /** Whether time in the queue counts while there is no stream. */
  agesWithoutStream: boolean;
  /** Memory the queue shares with others. */
  budget?: MemoryBudget | undefined;
  /** Called when a datagram arrives while there is no stream. */
  onWanted?: (() => void) | undefined;
  /** Makes the way to UDP when the first frame has come: calls {@link Link.sendTo}, or does not when it cannot be had. */
  openSender?: (() => void) | undefined;
  /** Called with the stream and the length of each datagram that comes out of it, for -vv. */
  trace?: ((stream: StreamPort, bytes: number) => void) | undefined;
}

export class Link implements StreamReceiver, SendReport {
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #queue: FrameQueue;
  readonly #stall: StallWatch;
  readonly #standing = new StandingQueue();
  readonly #watch: StreamWatch;

  #sender: DatagramSender | undefined;
  #payloadBytesMax = UDP4_PAYLOAD_BYTES_MAX;
  #stream: StreamPort | undefined;
  #onStreamEnd: (end: StreamEnd) => void = () => {};
  #decoder = new FrameDecoder();
  #barred: DropReason | undefined;
  #chunkAt = 0;
  #flushScheduled = false;
  #retry: Timer | undefined;
  #now = 0;
  #budgetedBytes = 0;

  /** When a datagram or a chunk last came, on the clock given. */
  activeAt: number;
  /** Bytes that have come from the present stream, 0 or more; kept after it ended, until the next. */
  streamBytes = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#queue = options.queue;
    this.#watch = new StreamWatch(options.counters);
    this.activeAt = options.clock.now();
    this.#stall = new StallWatch(options.clock, options.deadAfterMs, () =>
      this.#onStreamEnd({ by: "stall" }),
    );
  }

  /**
   * Where inbound datagrams go. Without a sender they are read and dropped as `not sent`.
   *
   * @param family what UDP they are sent by; undefined when by none, so that whatever a header can announce may pass.
   */
  sendTo(sender: DatagramSender, family: Family | undefined): void {
    this.#sender = sender;
    const udpBytesMax = family === 6 ? UDP6_PAYLOAD_BYTES_MAX : UDP4_PAYLOAD_BYTES_MAX;
    this.#payloadBytesMax = family === undefined ? PAYLOAD_BYTES_MAX : udpBytesMax;
  }

  get stream(): StreamPort | undefined {
    return this.#stream;
  }

  /** Datagrams received and neither sent nor dropped yet. */
  get held(): { outbound: number; inbound: number } {
    return { outbound: this.#queue.frames, inbound: this.#sender?.held ?? 0 };
  }

  /** What waits for TCP, headers included. */
  get queueBytes(): number {
    return this.#queue.bytes;
  }

  /** The present stream as the kernel sees it. */
  streamStats(): StreamStats | undefined {
    return this.#stream && this.#watch.look(this.#stream);
  }

  /** Drops what comes from now on, in both directions, for this reason. The stream is still read. */
  bar(reason: DropReason): void {
    this.#barred = reason;
  }

  /** Relays again. */
  unbar(): void {
    this.#barred = undefined;
    this.flush();
  }

  // --- outbound -------------------------------------------------------------------------------------------------

  /** Takes a datagram that may be relayed. @param payload copied before return. */
  onDatagram(payload: Uint8Array): void {
    const { budget, agesWithoutStream, onWanted } = this.#options;
    if (this.#barred !== undefined) {
      this.#counters.outbound.refuse(payload, this.#barred);
      return onWanted?.();
    }
    if (budget?.allows(HEADER_BYTES + payload.length) === false)
      return this.#counters.outbound.refuse(payload, "queue full");
    const { outbound } = this.#counters;
    outbound.received++;
    outbound.receivedBytes += payload.length;
    const now = this.#clock.now();
    this.activeAt = now;
    if (this.#stream === undefined && agesWithoutStream) this.#expire(now);
    const dropped = this.#queue.push(payload, now);
    if (dropped > 0) outbound.drop("queue full", dropped);
    this.#accountForQueue();
    if (this.#stream === undefined) return onWanted?.();
    if (this.#queue.bytes >= FLUSH_BYTES) this.flush();
    else if (!this.#flushScheduled) this.#scheduleFlush();
  }

  /** Writes what is queued, as far as the stream takes it and the window allows. */
  flush(): void {
    const stream = this.#stream;
    if (stream === undefined || this.#barred !== undefined) return;
    this.#now = this.#clock.now();
    this.#expire(this.#now);
    while (this.#writeSome(stream)) {
      // until the queue is empty or the stream is full
    }
    this.#accountForQueue();
  }

  onDrain(): void {
    this.flush();
  }

  /** One write. Says whether another may follow. */
  #writeSome(stream: StreamPort): boolean {
    if (this.#queue.bytes === 0) {
      this.#options.window.onIdle();
      this.#standing.onEmpty();
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
      const { counters } = this.#options;
      counters.outbound.sent += this.#queue.consume(taken, this.#onFrame);
      counters.outbound.sentBytes += taken;
      counters.writes++;
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
    this.#standing.onFrame(waitedMs, this.#now);
  };

  /** The window is full, and nobody tells when it no longer is. */
  #flushLater(): void {
    this.#retry ??= this.#clock.after(WINDOW_RETRY_MS, () => {
      this.#retry = undefined;
      this.flush();
    });
  }

  #scheduleFlush(): void {
    this.#flushScheduled = true;
    this.#clock.endOfTurn(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  /** Drops from the head what has waited too long, or shorter when all have waited: then the queue stands. */
  #expire(now: number): void {
    const { maxDelayMs } = this.#options;
    const { outbound } = this.#counters;
    const expired = this.#queue.dropPushedBefore(now - maxDelayMs);
    if (expired > 0) outbound.drop("expired", expired);
    if (maxDelayMs === Infinity || !this.#standing.stands(now)) return;
    outbound.drop("standing queue", this.#queue.dropPushedBefore(now - TARGET_MS));
  }

  #accountForQueue(): void {
    const { budget } = this.#options;
    if (budget === undefined) return;
    const { bytes } = this.#queue;
    budget.change(bytes - this.#budgetedBytes);
    this.#budgetedBytes = bytes;
  }

  // --- inbound --------------------------------------------------------------------------------------------------

  onChunk(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    this.streamBytes += chunk.length;
    this.#chunkAt = this.#clock.now();
    this.activeAt = this.#chunkAt;
    this.#deliver();
    if (this.#sender?.blocked) this.#stream?.pause();
  }

  /** Sends every whole frame there is, or as many as the UDP socket takes. */
  #deliver(): void {
    const decoder = this.#decoder;
    const { inbound } = this.#counters;
    const { trace, openSender } = this.#options;
    while (!this.#sender?.blocked && decoder.next()) {
      const { length } = decoder;
      inbound.received++;
      inbound.receivedBytes += length;
      if (trace && this.#stream) trace(this.#stream, length);
      if (this.#sender === undefined) openSender?.();
      if (this.#barred !== undefined) inbound.drop(this.#barred);
      else if (this.#sender === undefined) inbound.drop("not sent");
      else if (length > this.#payloadBytesMax) inbound.drop("too long");
      else this.#sender.add(decoder.bytes, decoder.start, length);
    }
    this.#sender?.flush();
  }

  /** The UDP socket has room again: go on where the chunk was left. */
  onSendReady(): void {
    const sender = this.#sender as DatagramSender;
    const { maxDelayMs, inboundDelayMs = maxDelayMs } = this.#options;
    if (this.#clock.now() - this.#chunkAt > inboundDelayMs) {
      sender.drop("expired");
      this.#dropUndelivered("expired");
    }
    sender.flush();
    this.#deliver();
    if (!sender.blocked) this.#stream?.resume();
  }

  onSent(datagrams: number, bytes: number, systemCalls: number): void {
    this.#counters.inbound.sent += datagrams;
    this.#counters.inbound.sentBytes += bytes;
    this.#counters.sends += systemCalls;
  }

  onSendDropped(reason: SendDropReason, datagrams: number): void {
    this.#counters.inbound.drop(reason, datagrams);
  }

  // --- life -----------------------------------------------------------------------------------------------------

  /** Gives the link a stream. @param onEnd called when the stream is of no more use; `detach` is then due. */
  attach(stream: StreamPort, onEnd: (end: StreamEnd) => void): void {
    this.#stream = stream;
    this.#onStreamEnd = onEnd;
    this.#decoder = new FrameDecoder();
    this.streamBytes = 0;
    this.#options.window.reset();
    if (!this.#options.agesWithoutStream) this.#queue.restartAges(this.#clock.now());
    stream.receive(this);
    if (this.#sender?.blocked) this.#stream?.pause();
    this.flush();
  }

  onEnd(): void {
    this.#onStreamEnd({ by: "peer" });
  }

  onClose(code: string | undefined): void {
    const stalled = code === "ETIMEDOUT" && this.#stall.windowWasClosed;
    this.#onStreamEnd(stalled ? { by: "stall" } : { by: "error", code });
  }

  /**
   * Takes the stream away. What is lost with it is counted; whole frames stay queued for the next stream.
   *
   * @returns counts what the stream still brings while it is being left: nobody relays it.
   */
  detach(): (chunk: Uint8Array) => void {
    if (this.#stream !== undefined) this.#watch.onGone(this.#stream);
    this.#stream = undefined;
    this.#stall.onIdle();
    this.#standing.onEmpty();
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#counters.outbound.drop("stream lost", this.#queue.startStream());
    this.#dropUndelivered("stream lost");
    this.#accountForQueue();
    const decoder = this.#decoder;
    return (chunk) => {
      decoder.push(chunk);
      this.#dropUndelivered("closing", decoder);
    };
  }

  /** Drops everything that waits, in both directions. */
  dropHeld(reason: "closing" | "stream lost"): void {
    this.dropQueued(reason);
    this.#sender?.drop(reason);
  }

  /** Drops what waits for a stream. */
  dropQueued(reason: "closing" | "stream lost"): void {
    let frames = this.#queue.startStream();
    while (this.#queue.dropOldest()) frames++;
    this.#counters.outbound.drop(reason, frames);
    this.#accountForQueue();
  }

  /** Gives back memory that is not needed while nothing happens. */
  shrink(): void {
    this.#queue.shrink();
  }

  /** Whole frames that wait in the decoder because the UDP socket is blocked: received, and then lost. */
  #dropUndelivered(reason: DropReason, decoder = this.#decoder): void {
    const { inbound } = this.#counters;
    while (decoder.next()) {
      inbound.received++;
      inbound.receivedBytes += decoder.length;
      inbound.drop(reason);
    }
  }
}
