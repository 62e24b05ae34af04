/**
 * A datagram channel: one end of a tunnel, with function calls in place of a UDP socket.
 *
 *   1. {@link DatagramChannel.send} puts a datagram into the queue of a {@link Link}, which writes it to TCP.
 *   2. The link puts datagrams from TCP into an {@link Inbox}, from which the application takes them.
 */

import { HEADER_BYTES, PAYLOAD_BYTES_MAX } from "../framing/header.ts";
import { Link, reasonOf, type StreamEnd } from "../link/link.ts";
import type { MemoryBudget } from "../link/memory-budget.ts";
import type { Clock } from "../net/clock.ts";
import { closeGracefully } from "../net/close-stream.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { StreamPort } from "../net/stream-port.ts";
import { Counters, type DropReason } from "../observe/counters.ts";
import type { DisconnectReason } from "../observe/events.ts";
import { type DirectionStats, directionStats } from "../observe/stats.ts";
import type { ChannelSettings } from "../options/channel-options.ts";
import { CLOSE_MS, waitUntilFlushed } from "../tunnel/closing.ts";
import { Inbox } from "./inbox.ts";

/** How a channel ended. */
export interface ChannelEnd {
  readonly reason: DisconnectReason;
  /** The errno name (ECONNRESET, ETIMEDOUT ...), if there is one. */
  readonly code?: string | undefined;
}

/** The figures of a channel. A snapshot: plain data that belongs to the caller and can be stored as JSON. */
export interface ChannelStats {
  /** From `send` into TCP. */
  readonly outbound: DirectionStats;
  /** From TCP to the receiver. */
  readonly inbound: DirectionStats;
  /**
   * As in `TunnelStats`. For a channel they are always 1, 0 and 0, because it is one connection without UDP.
   */
  readonly connects: number;
  readonly rejectedConnections: number;
  readonly refusals: number;
}

/** The parameters of a channel. */
export interface ChannelContext {
  readonly clock: Clock;
  readonly settings: ChannelSettings;
  /** The memory that all channels of one listener share. */
  readonly budget?: MemoryBudget | undefined;
}

/**
 * One TCP connection that carries datagrams, whole and in order. `dialChannel` and `listenChannels` make
 * channels. Leaving an `await using` block closes the channel.
 */
export class DatagramChannel implements AsyncDisposable, AsyncIterable<Uint8Array> {
  /** The addresses of the TCP connection. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /**
   * Live counters: read them, do not write to them. Outbound means from `send`, inbound means from the peer.
   */
  readonly counters = new Counters();
  /** Settles when the connection is closed, with the reason. Never rejects. */
  readonly closed: Promise<ChannelEnd>;

  readonly #context: ChannelContext;
  readonly #stream: StreamPort;
  readonly #link: Link;
  readonly #inbox: Inbox;
  readonly #settleClosed: (end: ChannelEnd) => void;
  #closing: Promise<void> | undefined;
  #streamClosed = false;

  /** @internal Must be called in the tick in which the stream came up. */
  constructor(stream: StreamPort, context: ChannelContext) {
    const { clock, settings, budget } = context;
    ({ promise: this.closed, resolve: this.#settleClosed } = Promise.withResolvers<ChannelEnd>());
    this.local = stream.local;
    this.remote = stream.remote;
    this.#context = context;
    this.#stream = stream;
    this.counters.connects = 1;
    this.#link = new Link({ use: "channel", clock, counters: this.counters, settings, budget });
    const onConsumed = () => void this.end("closed by peer");
    this.#inbox = this.#link.sendTo((observer) => new Inbox(observer, onConsumed), undefined);
    this.#link.attach(stream, (end) => this.#onStreamEnd(end));
  }

  /**
   * Queues a datagram for the peer. If the queue is full, the oldest datagrams are dropped. Datagrams that
   * were queued for longer than `maxDelayMs` are dropped too. {@link counters} count the drops by reason.
   *
   * @param datagram 0 to 65,535 bytes, copied before return.
   * @returns whether it was queued. It is not queued if it is too long, if the channel is closing or closed,
   *   or if the channels of its listener have reached their shared limit of memory.
   */
  send(datagram: Uint8Array): boolean {
    const rejection = this.#rejection(datagram.length);
    if (rejection !== undefined) this.counters.outbound.dropReceived(datagram, rejection);
    else this.#link.onDatagram(datagram);
    return rejection === undefined;
  }

  /** Bytes in the queue, headers included, that are not written to TCP yet. */
  get bufferedAmount(): number {
    return this.#link.queueBytes;
  }

  /**
   * Passes every datagram to `receiver`, in order, beginning with those already received. Use either this,
   * with one receiver, or iteration.
   *
   * @param receiver gets the 0 to 65,535 bytes of a datagram and owns them. They are a view of the chunk that
   *   TCP delivered, up to 512 KiB, and keep that chunk in memory: copy a datagram that you keep for long. If
   *   the receiver throws, the error is raised as an uncaught exception, and the next datagram is passed on.
   */
  receive(receiver: (datagram: Uint8Array) => void): void {
    this.#inbox.receive(receiver);
  }

  /**
   * Yields datagrams one by one until the peer has ended the connection, the connection is lost, or the
   * channel is closed. The ownership is that of {@link receive}. Datagrams that are not taken are buffered,
   * up to 1024 of them or 1 MiB; then TCP holds the peer back. Leaving the loop does not close the channel:
   * another loop may continue.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const datagram = await this.#inbox.take();
      if (datagram === undefined) return;
      yield datagram;
    }
  }

  /** Takes a snapshot. */
  stats(): ChannelStats {
    const { outbound, inbound, connects, rejectedConnections, refusals } = this.counters;
    const { held } = this.#link;
    return {
      outbound: directionStats(outbound, held.outbound),
      inbound: directionStats(inbound, held.inbound),
      connects,
      rejectedConnections,
      refusals,
    };
  }

  /**
   * Stops accepting datagrams, writes queued ones for at most a second, and ends the connection. Never
   * rejects. Calling it again returns the same promise. After the peer has ended the connection, the channel
   * closes by itself once all received datagrams are taken. Until then answers can still be sent.
   */
  close(): Promise<void> {
    return this.end("closing");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal When a datagram last passed, in either direction. */
  get activeAt(): number {
    return this.#link.activeAt;
  }

  /** @internal */
  get idleLimitMs(): number {
    return this.#context.settings.idleTimeoutMs || Infinity;
  }

  /** @internal Releases memory that an idle channel does not need. */
  shrink(): void {
    this.#link.shrink();
  }

  /** @internal Closes the channel for this reason. */
  end(reason: DisconnectReason): Promise<void> {
    this.#closing ??= this.#finish().finally(() => this.#settleClosed({ reason }));
    return this.#closing;
  }

  #rejection(payloadBytes: number): DropReason | undefined {
    if (this.#streamClosed) return "no stream";
    if (this.#closing !== undefined) return "closing";
    if (payloadBytes > PAYLOAD_BYTES_MAX) return "too long";
    return this.#context.budget?.allows(HEADER_BYTES + payloadBytes) === false ? "queue full" : undefined;
  }

  #onStreamEnd(end: StreamEnd): void {
    if (this.#streamClosed) return; // this end has closed it
    if (end.by === "peer") return this.#inbox.end(); // the peer may still read answers
    this.#streamClosed = true;
    this.#link.detach();
    this.#link.dropQueued("stream lost");
    if (end.by === "stall") this.#stream.terminate();
    this.#settleClosed({ reason: reasonOf(end), code: end.by === "error" ? end.code : undefined });
    this.#closing ??= Promise.resolve();
    this.#inbox.end();
  }

  async #finish(): Promise<void> {
    const { clock } = this.#context;
    const deadline = clock.now() + CLOSE_MS;
    this.#inbox.close();
    await waitUntilFlushed(clock, () => !this.#streamClosed && this.#link.held.outbound > 0, deadline);
    if (this.#streamClosed) return;
    this.#streamClosed = true;
    const onLateChunk = this.#link.detach();
    this.#link.dropHeld("closing");
    await closeGracefully(this.#stream, onLateChunk, clock, Math.max(1, deadline - clock.now()));
  }
}
