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
import { UDP4_PAYLOAD_BYTES_MAX, UDP6_PAYLOAD_BYTES_MAX } from "../framing/header.ts";
import type { Clock } from "../net/clock.ts";
import type { DatagramSender, SendDropReason, SendReport } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";
import type { Counters, DropReason } from "../observe/counters.ts";

/** Queued bytes that are written at once, without waiting for the end of the turn: Bun hands out datagrams without end. */
const FLUSH_BYTES = 64 * 1024;

/** Why a stream is no longer of use: the peer sent FIN, or it is gone, with the operating system's word if there is one. */
export type StreamEnd = { by: "peer" } | { by: "error"; code: string | undefined };

export interface LinkOptions {
  clock: Clock;
  counters: Counters;
  queue: FrameQueue;
  /** Frames older than this are dropped, in milliseconds; Infinity for never. */
  maxDelayMs: number;
  /** Whether time in the queue counts while there is no stream. */
  agesWithoutStream: boolean;
  /** Called when a datagram arrives while there is no stream. */
  onWanted?: () => void;
  /** Called with the stream and the length of each datagram that comes out of it, for -vv. */
  trace?: ((stream: StreamPort, bytes: number) => void) | undefined;
}

export class Link implements StreamReceiver, SendReport {
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #queue: FrameQueue;
  readonly #maxDelayMs: number;
  readonly #agesWithoutStream: boolean;
  readonly #onWanted: (() => void) | undefined;
  readonly #trace: LinkOptions["trace"];

  #sender: DatagramSender | undefined;
  #payloadBytesMax = 0;
  #stream: StreamPort | undefined;
  #onStreamEnd: (end: StreamEnd) => void = () => {};
  #decoder = new FrameDecoder();
  #chunkAt = 0;
  #flushScheduled = false;

  #barred: DropReason | undefined;

  constructor(options: LinkOptions) {
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#queue = options.queue;
    this.#maxDelayMs = options.maxDelayMs;
    this.#agesWithoutStream = options.agesWithoutStream;
    this.#onWanted = options.onWanted;
    this.#trace = options.trace;
  }

  /** Where inbound datagrams go. Without a sender they are read and dropped as `not sent`. */
  sendTo(sender: DatagramSender, family: Family): void {
    this.#sender = sender;
    this.#payloadBytesMax = family === 6 ? UDP6_PAYLOAD_BYTES_MAX : UDP4_PAYLOAD_BYTES_MAX;
  }

  get stream(): StreamPort | undefined {
    return this.#stream;
  }

  /** Datagrams received and neither sent nor dropped yet. */
  get held(): { outbound: number; inbound: number } {
    return { outbound: this.#queue.frames, inbound: this.#sender?.held ?? 0 };
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

  /** Counts a datagram that must not be relayed. */
  refuse(payload: Uint8Array, reason: DropReason): void {
    const { outbound } = this.#counters;
    outbound.received++;
    outbound.receivedBytes += payload.length;
    outbound.drop(reason);
  }

  /** Takes a datagram that may be relayed. @param payload copied before return. */
  onDatagram(payload: Uint8Array): void {
    if (this.#barred !== undefined) {
      this.refuse(payload, this.#barred);
      return this.#onWanted?.();
    }
    const { outbound } = this.#counters;
    outbound.received++;
    outbound.receivedBytes += payload.length;
    const now = this.#clock.now();
    if (this.#stream === undefined && this.#agesWithoutStream) this.#expire(now);
    const dropped = this.#queue.push(payload, now);
    if (dropped > 0) outbound.drop("queue full", dropped);
    if (this.#stream === undefined) return this.#onWanted?.();
    if (this.#queue.bytes >= FLUSH_BYTES) this.flush();
    else if (!this.#flushScheduled) this.#scheduleFlush();
  }

  /** Writes what is queued, as far as the stream takes it. */
  flush(): void {
    const stream = this.#stream;
    if (stream === undefined || this.#barred !== undefined) return;
    this.#expire(this.#clock.now());
    const { outbound } = this.#counters;
    for (;;) {
      const bytes = this.#queue.peek(stream.room());
      if (bytes.length === 0) return;
      const taken = stream.write(bytes);
      if (taken <= 0) return; // full: onDrain comes; gone: onClose comes
      outbound.sent += this.#queue.consume(taken);
      outbound.sentBytes += taken;
      if (taken < bytes.length) return;
    }
  }

  onDrain(): void {
    this.flush();
  }

  #scheduleFlush(): void {
    this.#flushScheduled = true;
    this.#clock.endOfTurn(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  #expire(now: number): void {
    const expired = this.#queue.dropPushedBefore(now - this.#maxDelayMs);
    if (expired > 0) this.#counters.outbound.drop("expired", expired);
  }

  // --- inbound --------------------------------------------------------------------------------------------------

  onChunk(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    this.#chunkAt = this.#clock.now();
    this.#deliver();
    if (this.#sender?.blocked) this.#stream?.pause();
  }

  /** Sends every whole frame there is, or as many as the UDP socket takes. */
  #deliver(): void {
    const decoder = this.#decoder;
    const sender = this.#sender;
    const { inbound } = this.#counters;
    while (!sender?.blocked && decoder.next()) {
      inbound.received++;
      inbound.receivedBytes += decoder.length;
      if (this.#trace && this.#stream) this.#trace(this.#stream, decoder.length);
      if (this.#barred !== undefined) inbound.drop(this.#barred);
      else if (sender === undefined) inbound.drop("not sent");
      else if (decoder.length > this.#payloadBytesMax) inbound.drop("too long");
      else sender.add(decoder.bytes, decoder.start, decoder.length);
    }
    sender?.flush();
  }

  /** The UDP socket has room again: go on where the chunk was left. */
  onSendReady(): void {
    const sender = this.#sender as DatagramSender;
    if (this.#clock.now() - this.#chunkAt > this.#maxDelayMs) {
      sender.drop("expired");
      this.#dropUndelivered("expired");
    }
    sender.flush();
    this.#deliver();
    if (!sender.blocked) this.#stream?.resume();
  }

  onSent(datagrams: number, bytes: number): void {
    this.#counters.inbound.sent += datagrams;
    this.#counters.inbound.sentBytes += bytes;
  }

  onSendDropped(reason: SendDropReason, datagrams: number): void {
    this.#counters.inbound.drop(reason, datagrams);
  }

  // --- life -----------------------------------------------------------------------------------------------------

  /** Gives the link a stream. @param onEnd called once, when the stream is of no more use; `detach` is then due. */
  attach(stream: StreamPort, onEnd: (end: StreamEnd) => void): void {
    this.#stream = stream;
    this.#onStreamEnd = onEnd;
    this.#decoder = new FrameDecoder();
    stream.receive(this);
    if (this.#sender?.blocked) this.#stream?.pause();
    this.flush();
  }

  onEnd(): void {
    this.#onStreamEnd({ by: "peer" });
  }

  onClose(code: string | undefined): void {
    this.#onStreamEnd({ by: "error", code });
  }

  /** Takes the stream away. What is lost with it is counted; whole frames stay queued for the next stream. */
  detach(): void {
    this.#stream = undefined;
    this.#counters.outbound.drop("stream lost", this.#queue.startStream());
    this.#dropUndelivered("stream lost");
  }

  /** Drops everything that waits, in both directions. */
  dropHeld(reason: "closing"): void {
    let frames = this.#queue.startStream();
    while (this.#queue.dropOldest()) frames++;
    this.#counters.outbound.drop(reason, frames);
    this.#sender?.drop(reason);
  }

  /** Whole frames that wait in the decoder because the UDP socket is blocked: received, and then lost. */
  #dropUndelivered(reason: DropReason): void {
    const { inbound } = this.#counters;
    while (this.#decoder.next()) {
      inbound.received++;
      inbound.receivedBytes += this.#decoder.length;
      inbound.drop(reason);
    }
  }
}
