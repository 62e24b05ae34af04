/**
 * From TCP to UDP. A datagram's steps:
 *
 *   onChunk    the decoder finds the frames in what TCP has brought, without copying them
 *   sender     is given where each payload lies, and hands them to the kernel together
 *
 * When the UDP socket is full, or the turn over, the rest of the chunk stays where it is, and TCP is not read until
 * there is room again, or the others have had their turn: Bun hands over 512 KiB at once, and again if there is more.
 */

import { FrameDecoder } from "../framing/frame-decoder.ts";
import { PAYLOAD_BYTES_MAX, UDP4_PAYLOAD_BYTES_MAX, UDP6_PAYLOAD_BYTES_MAX } from "../framing/header.ts";
import type { Clock } from "../net/clock.ts";
import type { DatagramSender, SendDropReason, SendReport } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import { DeliveryTurn } from "./delivery-turn.ts";
import type { SendWatch } from "./send-watch.ts";

/** Frames between two looks at the clock. */
const TURN_LOOK = 64;

export interface InboundOptions {
  clock: Clock;
  counters: Counters;
  /** How long datagrams may wait for the UDP socket, in milliseconds; Infinity for ever. */
  maxDelayMs: number;
  /** Makes the way to UDP when the first frame has come: has `sendTo` called, or not when it cannot be had. */
  openSender?: (() => void) | undefined;
  /** Called with the stream and the length of each datagram that comes out of it, for -vv. */
  trace?: ((stream: StreamPort, bytes: number) => void) | undefined;
  /** Notified when the kernel refuses to send, and when it takes datagrams after that. */
  sendWatch?: SendWatch | undefined;
}

export class InboundPath implements SendReport {
  /** While set, datagrams are dropped for this reason. The stream is still read. */
  barred: DropReason | undefined;
  /** Bytes that have come from the present stream, 0 or more; kept after it ended, until the next. */
  streamBytes = 0;
  readonly #options: InboundOptions;
  readonly #counters: Counters;
  #sender: DatagramSender | undefined;
  #payloadBytesMax = UDP4_PAYLOAD_BYTES_MAX;
  #stream: StreamPort | undefined;
  #decoder = new FrameDecoder();
  #chunkAt = 0;
  readonly #turn: DeliveryTurn;
  #paused = false;
  #onDelivered: (() => void) | undefined;

  constructor(options: InboundOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#turn = new DeliveryTurn(options.clock, () => this.#goOn());
  }

  /** Datagrams that wait for the UDP socket. */
  get held(): number {
    return this.#sender?.held ?? 0;
  }

  /**
   * Where datagrams go. Without a sender they are read and dropped as `not sent`.
   *
   * @param family what UDP they are sent by; undefined when by none, so that whatever a header can announce may pass.
   */
  sendTo(sender: DatagramSender, family: Family | undefined): void {
    this.#sender = sender;
    const udpBytesMax = family === 6 ? UDP6_PAYLOAD_BYTES_MAX : UDP4_PAYLOAD_BYTES_MAX;
    this.#payloadBytesMax = family === undefined ? PAYLOAD_BYTES_MAX : udpBytesMax;
  }

  onChunk(chunk: Uint8Array, now: number): void {
    this.#decoder.push(chunk);
    this.streamBytes += chunk.length;
    this.#chunkAt = now;
    this.#turn.begin(now);
    this.#deliver();
    if (this.#mustWait) this.#pause();
  }

  /** Goes on with a new stream, which begins on a frame boundary. */
  open(stream: StreamPort): void {
    this.#stream = stream;
    this.#decoder = new FrameDecoder();
    this.streamBytes = 0;
    this.#paused = false;
  }

  /** Reads a stream that has just begun only when there is room for what it brings. */
  pauseIfBlocked(): void {
    if (this.#mustWait) this.#pause();
  }

  /** Calls `then` when all that has come is delivered: now, unless some of it has to wait. */
  afterDelivery(then: () => void): void {
    if (this.#paused) this.#onDelivered = then;
    else then();
  }

  /**
   * Goes on without a stream. What has come of it is delivered now, and lost only when the UDP socket is full.
   *
   * @returns counts what the stream still brings while it is being left: nobody relays it.
   */
  close(): (chunk: Uint8Array) => void {
    this.#onDelivered = undefined;
    this.#paused = false;
    this.#deliver(true);
    this.#stream = undefined;
    this.#dropUndelivered("stream lost");
    const decoder = this.#decoder;
    return (chunk) => {
      decoder.push(chunk);
      this.#dropUndelivered("closing", decoder);
    };
  }

  /** Drops what waits for the UDP socket. */
  drop(reason: SendDropReason): void {
    this.#sender?.drop(reason);
  }

  /** The UDP socket has room again: go on where the chunk was left. */
  onSendReady(): void {
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

  get #mustWait(): boolean {
    return this.#sender?.blocked === true || this.#turn.over;
  }

  #pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  /** Where the chunk was left. */
  #goOn(): void {
    if (!this.#paused || this.#sender?.blocked) return;
    this.#turn.begin(this.#options.clock.now());
    this.#deliver();
    if (this.#mustWait) return;
    this.#paused = false;
    this.#stream?.resume();
    const then = this.#onDelivered;
    this.#onDelivered = undefined;
    then?.();
  }

  /** Sends every whole frame there is, or as many as the UDP socket takes and, unless the stream ends, the turn allows. */
  #deliver(ending = false): void {
    const decoder = this.#decoder;
    const { inbound } = this.#counters;
    const { trace, openSender } = this.#options;
    let untilLook = ending ? Infinity : TURN_LOOK;
    while (!this.#sender?.blocked && decoder.next()) {
      const { length } = decoder;
      inbound.received++;
      inbound.receivedBytes += length;
      if (trace && this.#stream) trace(this.#stream, length);
      if (this.#sender === undefined) openSender?.();
      if (this.barred !== undefined) inbound.drop(this.barred);
      else if (this.#sender === undefined) inbound.drop("not sent");
      else if (length > this.#payloadBytesMax) inbound.drop("too long");
      else this.#sender.add(decoder.bytes, decoder.start, length);
      if (--untilLook > 0) continue;
      if (this.#turn.over) break;
      untilLook = TURN_LOOK;
    }
    this.#sender?.flush();
  }

  /** Whole frames that wait in the decoder: received, and then lost. */
  #dropUndelivered(reason: DropReason, decoder = this.#decoder): void {
    const { inbound } = this.#counters;
    while (decoder.next()) {
      inbound.received++;
      inbound.receivedBytes += decoder.length;
      inbound.drop(reason);
    }
  }
}
