/**
 * A link joins one UDP socket and one TCP stream. The path of a datagram:
 *
 *   UDP to TCP   onDatagram   outbound-path.ts   FrameQueue: one copy, one write in a tick of the loop
 *   TCP to UDP   onChunk      inbound-path.ts    FrameDecoder: no copy, one system call for many datagrams
 *
 * The header of each file explains what happens when its socket is full.
 *
 * A link outlives its streams: `attach` gives it a stream, `detach` takes the stream away. Frames that it
 * cannot write stay queued for the next stream.
 */

import { FrameQueue } from "../framing/frame-queue.ts";
import type { Clock } from "../net/clock.ts";
import type { DatagramSender, SendObserver } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";
import type { Counters, DropReason } from "../observe/counters.ts";
import type { DisconnectReason } from "../observe/events.ts";
import type { StreamStats } from "../observe/stats.ts";
import { InboundPath } from "./inbound-path.ts";
import { LINK_USES, type LinkOptions, type LinkUse } from "./link-options.ts";
import { OutboundPath } from "./outbound-path.ts";
import { SendWindow } from "./send-window.ts";

/** Why a stream can no longer be used. */
export type StreamEnd =
  /** The peer sent FIN. It may still read. */
  | { by: "peer" }
  /** The peer is connected and has taken nothing for `deadAfterMs`. */
  | { by: "stall" }
  /** The connection is closed, with the error code if there is one. */
  | { by: "error"; code: string | undefined };

/** The reason that events and logs give for the end of a connection. */
export function reasonOf(end: StreamEnd): DisconnectReason {
  if (end.by === "peer") return "closed by peer";
  return end.by === "stall" ? "stalled" : "connection lost";
}

export class Link implements StreamReceiver {
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #outbound: OutboundPath;
  readonly #inbound: InboundPath;
  #stream: StreamPort | undefined;
  #onStreamEnd: (end: StreamEnd) => void = () => {};
  /** Retransmits of the stream when its state was last read: the kernel reports nothing after a reset. */
  #retransmits = 0;

  /** When the last datagram or chunk arrived, on the clock of the options. */
  activeAt: number;

  constructor(options: LinkOptions) {
    const { clock, counters, settings, budget } = options;
    const { queueBytesMax, deadAfterMs, unsentBytesMax, inFlight } = settings;
    const use: LinkUse = LINK_USES[options.use];
    const { framesMax, ringBytesInitial, agesWithoutStream } = use;
    const maxDelayMs = settings.maxDelayMs || Infinity;
    this.#clock = clock;
    this.#counters = counters;
    this.#outbound = new OutboundPath({
      clock,
      counters,
      queue: new FrameQueue({ bytesMax: queueBytesMax, framesMax, bytesInitial: ringBytesInitial }),
      window: new SendWindow(unsentBytesMax, inFlight === "auto"),
      maxDelayMs,
      deadAfterMs,
      agesWithoutStream,
      budget,
      onDemand: options.onDemand,
      onStall: () => this.#onStreamEnd({ by: "stall" }),
    });
    this.#inbound = new InboundPath({
      clock,
      counters,
      maxDelayMs: use.limitsInboundDelay ? maxDelayMs : Infinity,
      chunkBudget: use.budgetsChunks ? budget : undefined,
      openSender: options.openSender,
      trace: options.trace,
      onFirstFrame: options.onFirstFrame,
      sendWatch: options.sendWatch,
    });
    this.activeAt = clock.now();
  }

  /**
   * Sets where inbound datagrams go. The former sender drops what it holds as `unreachable`.
   *
   * @param open makes the sender. It must report to this observer, which counts what is sent and dropped.
   * @param family the family of the UDP socket, which limits the length of datagrams; undefined for no limit.
   * @returns the sender.
   */
  sendTo<Sender extends DatagramSender>(
    open: (observer: SendObserver) => Sender,
    family: Family | undefined,
  ): Sender {
    const sender = open(this.#inbound);
    this.#inbound.sendTo(sender, family);
    return sender;
  }

  /** Without a sender, inbound datagrams are dropped as `receive only`, unless `openSender` sets one. */
  removeSender(): void {
    this.#inbound.sendTo(undefined, undefined);
  }

  /**
   * Gives the link a stream. @param onEnd called when the stream can no longer be used; `detach` must follow.
   */
  attach(stream: StreamPort, onEnd: (end: StreamEnd) => void): void {
    this.#stream = stream;
    this.#onStreamEnd = onEnd;
    this.#inbound.open(stream);
    this.#outbound.open(stream);
    stream.receive(this); // delivers early events now, and can end in `detach`
    this.#inbound.admit();
    this.#outbound.flush();
  }

  /** A datagram from UDP that may be relayed. @param payload copied before return. */
  onDatagram(payload: Uint8Array): void {
    this.activeAt = this.#clock.now();
    this.#outbound.push(payload, this.activeAt);
  }

  /** TCP has room again. */
  onDrain(): void {
    this.#outbound.flush();
  }

  /** A chunk from TCP. */
  onChunk(chunk: Uint8Array): void {
    this.activeAt = this.#clock.now();
    this.#inbound.onChunk(chunk, this.activeAt);
  }

  onEnd(): void {
    // With TLS, the last data can arrive together with the FIN although the stream is paused.
    this.#inbound.afterDelivery(() => this.#onStreamEnd({ by: "peer" }));
  }

  onClose(code: string | undefined): void {
    // The kernel reports a socket error once. If `write` got ETIMEDOUT, `onClose` has no code.
    const timedOut = code === "ETIMEDOUT" || code === undefined;
    const end: StreamEnd = timedOut && this.#outbound.stalled ? { by: "stall" } : { by: "error", code };
    this.#inbound.afterDelivery(() => this.#onStreamEnd(end), true);
  }

  /**
   * Takes the stream away. What is lost with it is counted. Whole frames stay queued for the next stream.
   *
   * @returns a function for each chunk that still arrives before the stream is closed. It counts the chunk's
   *   datagrams as received and dropped.
   */
  detach(): (chunk: Uint8Array) => void {
    this.#counters.retransmits += this.#stream?.gauge()?.retransmits ?? this.#retransmits;
    this.#retransmits = 0;
    this.#stream = undefined;
    this.#outbound.close();
    return this.#inbound.close();
  }

  /** Drops new data in both directions, for this reason, until `unblock`. The stream is still read. */
  block(reason: DropReason): void {
    this.#outbound.blockedBy = reason;
    this.#inbound.blockedBy = reason;
  }

  /** Relays again. */
  unblock(): void {
    this.#outbound.blockedBy = undefined;
    this.#inbound.blockedBy = undefined;
    this.#outbound.flush();
  }

  /** Drops new data in both directions as `closing`. Queued data is still written. */
  stop(): void {
    this.#outbound.stopped = true;
    this.#inbound.stopped = true;
  }

  /** Drops all held datagrams, in both directions. */
  dropHeld(reason: "closing" | "stream lost"): void {
    this.#outbound.drop(reason);
    this.#inbound.drop(reason);
  }

  /** Drops the datagrams queued for TCP. */
  dropQueued(reason: "closing" | "stream lost"): void {
    this.#outbound.drop(reason);
  }

  /** Releases memory that an idle link does not need. */
  shrink(): void {
    this.#outbound.shrink();
  }

  get stream(): StreamPort | undefined {
    return this.#stream;
  }

  /** Whether a whole frame has arrived from the current stream; without one, from the last stream. */
  get receivedFrame(): boolean {
    return this.#inbound.receivedFrame;
  }

  /** Datagrams received and neither sent nor dropped yet. */
  get held(): { outbound: number; inbound: number } {
    return { outbound: this.#outbound.held, inbound: this.#inbound.held };
  }

  /** Bytes queued for TCP, headers included. */
  get queueBytes(): number {
    return this.#outbound.queueBytes;
  }

  /** Bytes of the chunks from TCP that are not completely delivered. */
  get undeliveredBytes(): number {
    return this.#inbound.undeliveredBytes;
  }

  /** The current stream, with its state in the kernel if the system reports it. */
  streamStats(): StreamStats | undefined {
    if (this.#stream === undefined) return undefined;
    const { local, remote } = this.#stream;
    const gauge = this.#stream.gauge();
    if (gauge === undefined) return { local, remote };
    const { rttMs, minRttMs, retransmits, inFlightBytes, unsentBytes } = gauge;
    this.#retransmits = retransmits;
    return { local, remote, rttMs, minRttMs, retransmits, inFlightBytes, unsentBytes };
  }
}
