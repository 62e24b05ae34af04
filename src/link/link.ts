/**
 * A link joins one UDP socket and one TCP stream. This is the way of every datagram:
 *
 *   outbound-path.ts   onDatagram -> FrameQueue -> stream.write       one copy, one write per turn of the event loop
 *   inbound-path.ts    onChunk -> FrameDecoder -> DatagramSender      no copy, one system call for many datagrams
 *
 * The link outlives its streams: it is given one by `attach` and holds what it cannot send until the next.
 */

import { FrameQueue } from "../framing/frame-queue.ts";
import type { Clock } from "../net/clock.ts";
import type { DatagramSender, SendObserver } from "../net/datagram-port.ts";
import type { Family } from "../net/endpoint.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";
import type { DropReason } from "../observe/counters.ts";
import type { DisconnectReason } from "../observe/events.ts";
import type { StreamStats } from "../observe/stats.ts";
import { type InboundOptions, InboundPath } from "./inbound-path.ts";
import { type OutboundOptions, OutboundPath } from "./outbound-path.ts";
import { SendWindow } from "./send-window.ts";
import { StreamWatch } from "./stream-watch.ts";

/** Why a stream is no longer of use. */
export type StreamEnd =
  /** The peer sent FIN: it may still read. */
  | { by: "peer" }
  /** The peer is there, and has taken nothing for too long. */
  | { by: "stall" }
  /** The stream is gone, with the operating system's word for it if there is one. */
  | { by: "error"; code: string | undefined };

/** The reason that events and logs give for the end of a connection. */
export function reasonOf(end: StreamEnd): DisconnectReason {
  if (end.by === "peer") return "closed by peer";
  return end.by === "stall" ? "stalled" : "connection lost";
}

/** What the user sets about a link. */
interface LinkSettings {
  /** Bytes of frames that the queue to TCP may hold. */
  readonly queueBytesMax: number;
  /** How long a datagram may be held, in milliseconds; 0 for no limit. */
  readonly maxDelayMs: number;
  /** How long a stream may take nothing before its peer counts as stalled, in milliseconds. */
  readonly deadAfterMs: number;
  /** Bytes the kernel may hold unsent; undefined leaves it to the path's rate. */
  readonly unsentBytesMax?: number | undefined;
  /** Whether the link bounds what is in flight, or the kernel alone. */
  readonly inFlight: "auto" | "kernel";
}

/** Where the uses of a link differ. */
interface LinkKind {
  /** Frames that the queue to TCP may hold. */
  readonly framesMax: number;
  /** Bytes of the queue's ring at the start; it doubles when needed, up to `queueBytesMax`. */
  readonly ringBytesInitial: number;
  /** Whether time in the queue counts while there is no stream. */
  readonly agesWithoutStream: boolean;
  /** Whether `maxDelayMs` also limits inbound datagrams. */
  readonly limitsInboundDelay: boolean;
  /** Whether undelivered chunks count in the memory budget. */
  readonly budgetsChunks: boolean;
}

const KINDS = {
  /** Peer mode has one link or two, so the ring is allocated whole. */
  peer: {
    framesMax: 65_536,
    ringBytesInitial: Infinity,
    agesWithoutStream: true,
    limitsInboundDelay: true,
    budgetsChunks: false,
  },
  /** Per-source mode has many links, most of which queue little. Datagrams do not age while a client dials. */
  session: {
    framesMax: 16_384,
    ringBytesInitial: 2048,
    agesWithoutStream: false,
    limitsInboundDelay: true,
    budgetsChunks: true,
  },
  /** A channel has no UDP socket: a reader that is slow holds the peer back and loses nothing. */
  channel: {
    framesMax: 65_536,
    ringBytesInitial: 2048,
    agesWithoutStream: false,
    limitsInboundDelay: false,
    budgetsChunks: false,
  },
} satisfies Record<string, LinkKind>;

export interface LinkOptions
  extends Pick<OutboundOptions, "clock" | "counters" | "budget" | "onDemand">,
    Pick<InboundOptions, "openSender" | "trace" | "onFirstFrame" | "sendWatch"> {
  readonly kind: keyof typeof KINDS;
  readonly settings: LinkSettings;
}

export class Link implements StreamReceiver {
  readonly #clock: Clock;
  readonly #outbound: OutboundPath;
  readonly #inbound: InboundPath;
  readonly #watch: StreamWatch;
  #stream: StreamPort | undefined;
  #onStreamEnd: (end: StreamEnd) => void = () => {};

  /** When a datagram or a chunk last came, on the clock given. */
  activeAt: number;

  constructor(options: LinkOptions) {
    const { clock, counters, settings, budget } = options;
    const { queueBytesMax, deadAfterMs, unsentBytesMax, inFlight } = settings;
    const kind: LinkKind = KINDS[options.kind];
    const maxDelayMs = settings.maxDelayMs || Infinity;
    this.#clock = clock;
    this.#outbound = new OutboundPath({
      clock,
      counters,
      queue: new FrameQueue({
        bytesMax: queueBytesMax,
        framesMax: kind.framesMax,
        bytesInitial: kind.ringBytesInitial,
      }),
      window: new SendWindow(unsentBytesMax, inFlight === "auto"),
      maxDelayMs,
      agesWithoutStream: kind.agesWithoutStream,
      deadAfterMs,
      budget,
      onDemand: options.onDemand,
      onStall: () => this.#onStreamEnd({ by: "stall" }),
    });
    this.#inbound = new InboundPath({
      clock,
      counters,
      maxDelayMs: kind.limitsInboundDelay ? maxDelayMs : Infinity,
      chunkBudget: kind.budgetsChunks ? budget : undefined,
      openSender: options.openSender,
      trace: options.trace,
      onFirstFrame: options.onFirstFrame,
      sendWatch: options.sendWatch,
    });
    this.#watch = new StreamWatch(counters);
    this.activeAt = clock.now();
  }

  /**
   * Sets where inbound datagrams go. The former sender drops what it holds as `unreachable`.
   *
   * @param open makes the sender. It must report to this observer, which counts what is sent and dropped.
   * @param family the UDP that carries them, which bounds their length; undefined when UDP does not.
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

  /** Takes the sender away: inbound datagrams are dropped as `receive only`, unless `openSender` sets another. */
  removeSender(): void {
    this.#inbound.sendTo(undefined, undefined);
  }

  get stream(): StreamPort | undefined {
    return this.#stream;
  }

  /** Whether a whole frame has come from the current stream; kept after it ended, until the next. */
  get receivedFrame(): boolean {
    return this.#inbound.receivedFrame;
  }

  /** Datagrams received and neither sent nor dropped yet. */
  get held(): { outbound: number; inbound: number } {
    return { outbound: this.#outbound.held, inbound: this.#inbound.held };
  }

  /** What waits for TCP, headers included. */
  get queueBytes(): number {
    return this.#outbound.queueBytes;
  }

  /** Bytes of TCP chunks that are not delivered completely. */
  get undeliveredBytes(): number {
    return this.#inbound.undeliveredBytes;
  }

  /** The present stream as the kernel sees it. */
  streamStats(): StreamStats | undefined {
    return this.#stream && this.#watch.look(this.#stream);
  }

  /** Drops what comes from now on, in both directions, for this reason. The stream is still read. */
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

  /** Drops new data as `closing`, in both directions. Queued data is still written. */
  stop(): void {
    this.#outbound.stopped = true;
    this.#inbound.stopped = true;
  }

  /** Takes a datagram that may be relayed. @param payload copied before return. */
  onDatagram(payload: Uint8Array): void {
    this.activeAt = this.#clock.now();
    this.#outbound.push(payload, this.activeAt);
  }

  onChunk(chunk: Uint8Array): void {
    this.activeAt = this.#clock.now();
    this.#inbound.onChunk(chunk, this.activeAt);
  }

  onDrain(): void {
    this.#outbound.flush();
  }

  onEnd(): void {
    // Where TLS is, what the peer said last may come with its farewell, though the stream is paused.
    this.#inbound.afterDelivery(() => this.#onStreamEnd({ by: "peer" }));
  }

  onClose(code: string | undefined): void {
    // A write that met the timeout has taken its code with it.
    const timedOut = code === "ETIMEDOUT" || code === undefined;
    const end: StreamEnd = timedOut && this.#outbound.stalled ? { by: "stall" } : { by: "error", code };
    this.#inbound.afterDelivery(() => this.#onStreamEnd(end), true);
  }

  /** Gives the link a stream. @param onEnd called when the stream is of no more use; `detach` is then due. */
  attach(stream: StreamPort, onEnd: (end: StreamEnd) => void): void {
    this.#stream = stream;
    this.#onStreamEnd = onEnd;
    this.#inbound.open(stream);
    this.#outbound.open(stream);
    stream.receive(this); // what came early comes now: the link may already be without the stream after this
    this.#inbound.admit();
    this.#outbound.flush();
  }

  /**
   * Takes the stream away. What is lost with it is counted; whole frames stay queued for the next stream.
   *
   * @returns counts what the stream still brings while it is being left: nobody relays it.
   */
  detach(): (chunk: Uint8Array) => void {
    if (this.#stream !== undefined) this.#watch.onGone(this.#stream);
    this.#stream = undefined;
    this.#outbound.close();
    return this.#inbound.close();
  }

  /** Drops everything that waits, in both directions. */
  dropHeld(reason: "closing" | "stream lost"): void {
    this.#outbound.drop(reason);
    this.#inbound.drop(reason);
  }

  /** Drops what waits for a stream. */
  dropQueued(reason: "closing" | "stream lost"): void {
    this.#outbound.drop(reason);
  }

  /** Gives back memory that is not needed while nothing happens. */
  shrink(): void {
    this.#outbound.shrink();
  }
}
