/**
 * From TCP to UDP. A datagram's steps:
 *
 *   onChunk    the decoder finds the frames in what TCP has brought, without copying them
 *   sender     is given where each payload lies, and hands them to the kernel together
 *
 * When the UDP socket is full or the process's time slice is used up, the rest of the chunk stays in the decoder and
 * TCP is paused: Bun hands over 512 KiB at once, and again if there is more. Datagrams count as received when their
 * chunk comes. The stream is read again when the rest is delivered, the budget has room, and the rotation comes to it.
 */

import { FrameDecoder } from "../framing/frame-decoder.ts";
import { PAYLOAD_BYTES_MAX, UDP4_PAYLOAD_BYTES_MAX, UDP6_PAYLOAD_BYTES_MAX } from "../framing/header.ts";
import type { Clock } from "../net/clock.ts";
import type { DatagramSender, SendDropReason, SendObserver } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort } from "../net/stream-port.ts";
import { type Backlog, type PausedSocket, TimeSlice } from "../net/time-slice.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** A link's quantum: in frames, where each 2 KiB of a frame count as one more, and in bytes of a chunk. */
const QUANTUM_FRAMES = 256;
const FRAME_BYTES_LOG2 = 11;
const QUANTUM_BYTES = 128 * 1024;

export interface InboundOptions {
  clock: Clock;
  counters: Counters;
  /** How long datagrams may wait for the UDP socket, in milliseconds; Infinity for ever. */
  maxDelayMs: number;
  /** The budget that undelivered chunks share with other links. Without it only the chunk's own length is a bound. */
  chunkBudget?: MemoryBudget | undefined;
  /** Called for a frame without a sender: opens the UDP socket and calls `sendTo`, unless that fails. */
  openSender?: (() => void) | undefined;
  /** Called with the stream and the length of each datagram that comes out of it, for -vv. */
  trace?: ((stream: StreamPort, bytes: number) => void) | undefined;
  /** Called when a stream has brought its first whole frame. */
  onFirstFrame?: (() => void) | undefined;
  /** `SendWatch` of `tunnel/target`. */
  sendWatch?: SendOutcomeObserver | undefined;
}

/** Notified when the kernel refuses datagrams, and when it takes them again. */
interface SendOutcomeObserver {
  /** Whether `onSent` must be called. */
  readonly failing: boolean;
  /** The kernel took datagrams. */
  onSent(): void;
  /** The kernel refused datagrams. @param code the errno name. */
  onRefused(code: string, datagrams: number): void;
}

export class InboundPath implements SendObserver, Backlog, PausedSocket {
  /** While set, datagrams are dropped for this reason. The stream is still read. */
  blockedBy: DropReason | undefined;
  /** The tunnel is closing: datagrams that come from now on are dropped as `closing`. */
  stopped = false;
  /** Bytes that have come from the present stream, 0 or more; kept after it ended, until the next. */
  streamBytes = 0;
  /** Whether a whole frame has come from the current stream; kept after it ended, until the next. */
  receivedFrame = false;
  /** Bytes of chunks that are not delivered completely. */
  undeliveredBytes = 0;
  /** Length of the stream's last chunk; 0 for a new stream. */
  lastBytes = 0;
  readonly #options: InboundOptions;
  readonly #counters: Counters;
  readonly #slice: TimeSlice;
  #sender: DatagramSender | undefined;
  #payloadBytesMax = UDP4_PAYLOAD_BYTES_MAX;
  #stream: StreamPort | undefined;
  #decoder = new FrameDecoder();
  #chunkAt = 0;
  #paused = false;
  /** The stream is gone, and its rest is being delivered. */
  #gone = false;
  #onDelivered: (() => void) | undefined;

  constructor(options: InboundOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#slice = TimeSlice.of(options.clock);
  }

  /** Datagrams that wait for the time slice or for the UDP socket. */
  get held(): number {
    return this.#decoder.frames + (this.#sender?.held ?? 0);
  }

  /** Whether memory is left for the stream's next chunk. */
  get hasRoom(): boolean {
    return this.#options.chunkBudget?.allowsChunk(this.lastBytes) !== false;
  }

  /**
   * Sets where datagrams go. Without a sender they are dropped as `receive only`, unless `openSender` gives one. The
   * datagrams that the former sender holds are lost with its address.
   *
   * @param family what UDP they are sent by; undefined when by none, so that whatever a header can announce may pass.
   */
  sendTo(sender: DatagramSender | undefined, family: Family | undefined): void {
    const before = this.#sender;
    const wasBlocked = before?.blocked === true;
    if (wasBlocked) before.drop("unreachable");
    this.#sender = sender;
    const udpBytesMax = family === 6 ? UDP6_PAYLOAD_BYTES_MAX : UDP4_PAYLOAD_BYTES_MAX;
    this.#payloadBytesMax = family === undefined ? PAYLOAD_BYTES_MAX : udpBytesMax;
    if (wasBlocked) this.#goOn();
  }

  onChunk(chunk: Uint8Array, now: number): void {
    const waiting = this.#decoder.frames;
    this.#receive(this.#decoder, chunk);
    this.streamBytes += chunk.length;
    this.lastBytes = chunk.length;
    if (!this.receivedFrame && this.#decoder.frames > 0) {
      this.receivedFrame = true;
      this.#options.onFirstFrame?.();
    }
    if (this.stopped && waiting === 0) return this.#dropUndelivered("closing");
    this.#chunkAt = now;
    this.#changeUndelivered(chunk.length);
    if (this.#paused) return this.#onLateChunk();
    this.#slice.begin(now);
    if (this.#deliver()) {
      this.#pause();
      this.#slice.defer(this);
    } else if (this.#sender?.blocked) this.#pause();
    else {
      this.#changeUndelivered(-this.undeliveredBytes);
      if (chunk.length < QUANTUM_BYTES || !this.#slice.mustYield) return;
      this.#pause();
      this.#slice.awaitRead(this);
    }
  }

  /** Goes on with a new stream, which begins on a frame boundary. */
  open(stream: StreamPort): void {
    this.#stream = stream;
    this.#decoder = new FrameDecoder();
    this.streamBytes = 0;
    this.receivedFrame = false;
    this.lastBytes = 0;
    this.#paused = false;
    this.#gone = false;
  }

  /** Reads a new stream at once only when there is room for its data, and no other stream waits. */
  admit(): void {
    if (this.#paused || this.#stream === undefined) return;
    if (this.#sender?.blocked || !this.#slice.admit(this)) this.#pause();
  }

  /**
   * Calls `then` when all data of the stream is delivered: at once, unless some of it has to wait.
   *
   * @param gone the stream is gone already: then this does not wait for a full UDP socket.
   */
  afterDelivery(then: () => void, gone = false): void {
    this.#gone ||= gone;
    const blocked = this.#sender?.blocked === true;
    if (blocked ? gone : this.#decoder.frames === 0) then();
    else this.#onDelivered = then;
  }

  /**
   * Goes on without a stream. One quantum of its data is delivered now; the rest is lost.
   *
   * @returns counts what the stream still brings while it is being left: nobody relays it.
   */
  close(): (chunk: Uint8Array) => void {
    this.#onDelivered = undefined;
    this.#paused = false;
    this.#slice.forget(this);
    this.#deliver();
    this.#stream = undefined;
    this.#dropUndelivered("stream lost");
    this.#changeUndelivered(-this.undeliveredBytes);
    const decoder = this.#decoder;
    this.#decoder = new FrameDecoder();
    return (chunk) => {
      this.#receive(decoder, chunk);
      this.#dropUndelivered("closing", decoder);
    };
  }

  /** Drops what waits for the UDP socket. */
  drop(reason: SendDropReason): void {
    this.#sender?.drop(reason);
  }

  /** The UDP socket has room again: go on where the chunk was left. */
  onWritable(): void {
    const sender = this.#sender as DatagramSender;
    if (this.#options.clock.now() - this.#chunkAt > this.#options.maxDelayMs) {
      sender.drop("expired");
      this.#dropUndelivered("expired");
    }
    sender.flush();
    this.#goOn();
  }

  onSent(datagrams: number, bytes: number, systemCalls: number): void {
    this.#counters.inbound.sent += datagrams;
    this.#counters.inbound.sentBytes += bytes;
    this.#counters.sends += systemCalls;
    const { sendWatch } = this.#options;
    if (sendWatch?.failing) sendWatch.onSent();
  }

  onSendDropped(reason: SendDropReason, datagrams: number, code?: string): void {
    this.#counters.inbound.drop(reason, datagrams);
    if (code !== undefined) this.#options.sendWatch?.onRefused(code, datagrams);
  }

  /** The rotation of the time slice has come to the rest of the chunk. */
  handleQuantum(): boolean {
    if (this.#deliver()) return true;
    if (!this.#sender?.blocked) this.#onAllDelivered();
    else if (this.#gone) this.#callDelivered();
    return false;
  }

  readAgain(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  /** With TLS a chunk can come while the stream is paused. */
  #onLateChunk(): void {
    if (this.#sender?.blocked) return;
    this.#slice.forgetSocket(this);
    this.#slice.defer(this);
  }

  #goOn(): void {
    if (!this.#paused || this.#sender?.blocked) return;
    if (this.#decoder.frames > 0) this.#slice.defer(this);
    else this.#onAllDelivered();
  }

  #pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  #onAllDelivered(): void {
    this.#changeUndelivered(-this.undeliveredBytes);
    if (!this.#gone) this.#slice.awaitRead(this);
    this.#callDelivered();
  }

  #callDelivered(): void {
    const then = this.#onDelivered;
    this.#onDelivered = undefined;
    then?.();
  }

  #changeUndelivered(bytes: number): void {
    if (bytes === 0) return;
    this.undeliveredBytes += bytes;
    this.#options.chunkBudget?.changeChunks(bytes);
    if (bytes < 0) this.#slice.begin(); // others may wait for this memory
  }

  #receive(decoder: FrameDecoder, chunk: Uint8Array): void {
    const { inbound } = this.#counters;
    const { frames, framesBytes } = decoder;
    decoder.push(chunk);
    inbound.received += decoder.frames - frames;
    inbound.receivedBytes += decoder.framesBytes - framesBytes;
  }

  /**
   * Sends whole frames: a quantum, and more while the time slice allows.
   *
   * @returns whether frames are left that the UDP socket would take.
   */
  #deliver(): boolean {
    const decoder = this.#decoder;
    const { inbound } = this.#counters;
    const { trace, openSender } = this.#options;
    let quantum = QUANTUM_FRAMES;
    while (!this.#sender?.blocked && decoder.next()) {
      const { length } = decoder;
      if (trace && this.#stream) trace(this.#stream, length);
      if (this.#sender === undefined) openSender?.();
      if (this.blockedBy !== undefined) inbound.drop(this.blockedBy);
      else if (this.#sender === undefined)
        inbound.drop(openSender === undefined ? "receive only" : "no socket");
      else if (length > this.#payloadBytesMax) inbound.drop("too long");
      else this.#sender.add(decoder.bytes, decoder.start, length);
      quantum -= 1 + (length >> FRAME_BYTES_LOG2);
      // After the last frame `next` must be called once more: the decoder then keeps the tail and frees the chunk.
      if (quantum > 0 || decoder.frames === 0) continue;
      if (this.#slice.mustYield) break;
      quantum = QUANTUM_FRAMES;
    }
    this.#sender?.flush();
    return decoder.frames > 0 && !this.#sender?.blocked;
  }

  /** Drops the whole frames that wait in the decoder. */
  #dropUndelivered(reason: DropReason, decoder = this.#decoder): void {
    this.#counters.inbound.drop(reason, decoder.frames);
    while (decoder.next()); // to the tail, which may be the beginning of a frame
  }
}
