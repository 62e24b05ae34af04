/**
 * From TCP to UDP:
 *
 *   onChunk    The decoder finds the frames of a chunk, without a copy. They count as received.
 *   #deliver   Gives each payload to the sender, which sends many with one system call. Then one of:
 *     "all delivered"     The stream brings its next chunk. After a long one, other sockets come first.
 *     "slice used up"     The rest stays in the decoder. TCP is paused. `handleQuantum` continues.
 *     "UDP socket full"   The rest stays in the decoder. TCP is paused. `onWritable` continues.
 *
 * When the UDP socket is full:
 *
 *   1. The sender is `blocked`. It holds the datagrams that the kernel did not take, and accepts no more.
 *   2. The stream is paused, or Bun would deliver more chunks. TCP's window closes, and the peer must wait.
 *   3. When the socket has room, the sender calls `onWritable`. If the chunk is then older than `maxDelayMs`,
 *      the datagrams that the sender and the decoder hold are dropped as `expired`. Otherwise the sender
 *      sends its datagrams. If the socket is full again, step 3 follows again.
 *   4. The rest of the chunk is delivered in the rotation of the time slice. Then the stream is read again,
 *      when the rotation reaches it and the memory budget has room.
 *
 * A new sender: the former one drops its datagrams as `unreachable`, and step 4 follows. The stream closes:
 * the rest of the chunk is dropped as `stream lost`, and the sender still sends the datagrams that it holds.
 */

import { FrameDecoder } from "../framing/frame-decoder.ts";
import { PAYLOAD_BYTES_MAX, UDP4_PAYLOAD_BYTES_MAX, UDP6_PAYLOAD_BYTES_MAX } from "../framing/header.ts";
import type { DatagramSender, SendDropReason, SendObserver } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort } from "../net/stream-port.ts";
import { type Backlog, type PausedSocket, TimeSlice } from "../net/time-slice.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import type { LinkHooks, LinkOptions } from "./link-options.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** A link's quantum. A frame counts as one, and as one more for each full 2 KiB of its payload. */
const QUANTUM_FRAMES = 256;
const FRAME_BYTES_LOG2 = 11;
/** After a chunk of fewer bytes, the next one is read at once. */
const QUANTUM_BYTES = 128 * 1024;

export interface InboundOptions extends Pick<LinkOptions, "clock" | "counters">, Omit<LinkHooks, "onDemand"> {
  /** How long datagrams may wait for the UDP socket, in milliseconds; Infinity for no limit. */
  maxDelayMs: number;
  /** The budget that undelivered chunks share with other links. Without it, nothing limits the next chunk. */
  chunkBudget: MemoryBudget | undefined;
}

type Delivery = "all delivered" | "slice used up" | "UDP socket full";

export class InboundPath implements SendObserver, Backlog, PausedSocket {
  /** While set, datagrams are dropped for this reason. The stream is still read. */
  blockedBy: DropReason | undefined;
  /** While set, new chunks are dropped as `closing`, unless earlier frames are still being delivered. */
  stopped = false;
  /** Whether a whole frame has arrived from the current stream; without one, from the last stream. */
  receivedFrame = false;
  /** Bytes of the chunks that are not completely delivered. */
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
  /** When the last chunk arrived. */
  #chunkAt = 0;
  #paused = false;
  /** The connection is closed. The rest of its data is still delivered. */
  #streamClosed = false;
  #onDelivered: (() => void) | undefined;

  constructor(options: InboundOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#slice = TimeSlice.of(options.clock);
  }

  /** A new stream. It begins on a frame boundary. */
  open(stream: StreamPort): void {
    this.#stream = stream;
    this.#decoder = new FrameDecoder();
    this.receivedFrame = false;
    this.lastBytes = 0;
    this.#paused = false;
    this.#streamClosed = false;
  }

  /** Pauses a new stream if the UDP socket is full, memory is short or other sockets come first. */
  admit(): void {
    if (this.#paused || this.#stream === undefined) return;
    if (this.#socketFull || !this.#slice.admit(this)) this.#pause();
  }

  /** A chunk has arrived. */
  onChunk(chunk: Uint8Array, now: number): void {
    const framesBefore = this.#decoder.frames;
    this.#decode(this.#decoder, chunk);
    this.lastBytes = chunk.length;
    if (!this.receivedFrame && this.#decoder.frames > 0) {
      this.receivedFrame = true;
      this.#options.onFirstFrame?.();
    }
    if (this.stopped && framesBefore === 0) return this.#dropUndelivered("closing");
    this.#chunkAt = now;
    this.#changeUndelivered(chunk.length);
    if (this.#paused) return this.#onLateChunk();
    if (this.#decoder.frames >= QUANTUM_FRAMES || chunk.length >= QUANTUM_BYTES) this.#slice.begin(now);
    switch (this.#deliver()) {
      case "all delivered":
        this.#changeUndelivered(-this.undeliveredBytes);
        if (chunk.length < QUANTUM_BYTES || !this.#slice.mustYield) return;
        this.#pause();
        return this.#slice.awaitRead(this);
      case "slice used up":
        this.#pause();
        return this.#slice.defer(this);
      case "UDP socket full":
        this.#pause();
    }
  }

  #decode(decoder: FrameDecoder, chunk: Uint8Array): void {
    const { inbound } = this.#counters;
    const { frames, framesBytes } = decoder;
    decoder.push(chunk);
    inbound.received += decoder.frames - frames;
    inbound.receivedBytes += decoder.framesBytes - framesBytes;
  }

  /** Sends whole frames: a quantum, and more while the time slice allows. */
  #deliver(): Delivery {
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
      // After the last frame, one more `next` makes the decoder keep the tail and release the chunk.
      if (quantum > 0 || decoder.frames === 0) continue;
      if (this.#slice.mustYield) break;
      quantum = QUANTUM_FRAMES;
    }
    this.#sender?.flush();
    if (this.#socketFull) return "UDP socket full";
    return decoder.frames > 0 ? "slice used up" : "all delivered";
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

  /** The time slice has a quantum for the rest of the chunk. */
  handleQuantum(): boolean {
    const delivery = this.#deliver();
    if (delivery === "all delivered") this.#onAllDelivered();
    else if (delivery === "UDP socket full" && this.#streamClosed) this.#callOnDelivered();
    return delivery === "slice used up";
  }

  /** The UDP socket has room again. */
  onWritable(): void {
    const sender = this.#sender as DatagramSender;
    if (this.#options.clock.now() - this.#chunkAt > this.#options.maxDelayMs) {
      sender.drop("expired");
      this.#dropUndelivered("expired");
    }
    sender.flush();
    this.#continue();
  }

  /** Delivers the rest of the chunk and has the stream read again, unless the UDP socket is full. */
  #continue(): void {
    if (!this.#paused || this.#socketFull) return;
    if (this.#decoder.frames > 0) this.#slice.defer(this);
    else this.#onAllDelivered();
  }

  #onAllDelivered(): void {
    this.#changeUndelivered(-this.undeliveredBytes);
    if (!this.#streamClosed) this.#slice.awaitRead(this);
    this.#callOnDelivered();
  }

  #pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  readAgain(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  /** With TLS a chunk can arrive while the stream is paused. */
  #onLateChunk(): void {
    if (this.#socketFull) return;
    this.#slice.forgetSocket(this);
    this.#slice.defer(this);
  }

  /**
   * Calls `then` when all data of the stream is delivered, which may be now.
   *
   * @param streamClosed whether the connection is closed. `then` then does not wait for a full UDP socket.
   */
  afterDelivery(then: () => void, streamClosed = false): void {
    this.#streamClosed ||= streamClosed;
    if (this.#socketFull ? streamClosed : this.#decoder.frames === 0) then();
    else this.#onDelivered = then;
  }

  #callOnDelivered(): void {
    const then = this.#onDelivered;
    this.#onDelivered = undefined;
    then?.();
  }

  /**
   * The stream is taken away. One quantum of its data is delivered now; the rest is lost.
   *
   * @returns a function for each chunk that still arrives before the stream is closed. It counts the chunk's
   *   datagrams as received and dropped.
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
      this.#decode(decoder, chunk);
      this.#dropUndelivered("closing", decoder);
    };
  }

  /** See `Link.sendTo` and `Link.removeSender`. */
  sendTo(sender: DatagramSender | undefined, family: Family | undefined): void {
    const wasFull = this.#socketFull;
    if (wasFull) this.#sender?.drop("unreachable");
    this.#sender = sender;
    const udpBytesMax = family === 6 ? UDP6_PAYLOAD_BYTES_MAX : UDP4_PAYLOAD_BYTES_MAX;
    this.#payloadBytesMax = family === undefined ? PAYLOAD_BYTES_MAX : udpBytesMax;
    if (wasFull) this.#continue();
  }

  /** Drops the datagrams that the sender holds. */
  drop(reason: SendDropReason): void {
    this.#sender?.drop(reason);
  }

  /** Datagrams that wait for the time slice or for the UDP socket. */
  get held(): number {
    return this.#decoder.frames + (this.#sender?.held ?? 0);
  }

  /** Whether there is memory for the stream's next chunk. */
  get hasRoom(): boolean {
    return this.#options.chunkBudget?.allowsChunk(this.lastBytes) !== false;
  }

  get #socketFull(): boolean {
    return this.#sender?.blocked === true;
  }

  #changeUndelivered(bytes: number): void {
    if (bytes === 0) return;
    this.undeliveredBytes += bytes;
    this.#options.chunkBudget?.changeChunks(bytes);
    if (bytes < 0) this.#slice.onRoom();
  }

  /** Drops the whole frames in the decoder. It keeps the tail, which may be the beginning of a frame. */
  #dropUndelivered(reason: DropReason, decoder = this.#decoder): void {
    this.#counters.inbound.drop(reason, decoder.frames);
    while (decoder.next());
  }
}
