/**
 * A datagram channel: one end of a tunnel without UDP. The same link, queue and limits as in a tunnel stand between one
 * TCP connection and whoever calls {@link DatagramChannel.send} and takes what comes.
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

/** How a channel ended: `code` is the operating system's word for it (ECONNRESET, ETIMEDOUT ...) where there is one. */
export interface ChannelEnd {
  readonly reason: DisconnectReason;
  readonly code?: string | undefined;
}

/** What a channel has done so far. A snapshot: plain data that belongs to the caller, and that JSON can hold. */
export interface ChannelStats {
  /** From `send` into TCP. */
  readonly outbound: DirectionStats;
  /** From TCP to the receiver. */
  readonly inbound: DirectionStats;
  /** As in `TunnelStats`. A channel is one connection without UDP: always 1, 0 and 0. */
  readonly connects: number;
  readonly rejectedConnections: number;
  readonly refusals: number;
}

/** What a channel is made with. */
export interface ChannelContext {
  readonly clock: Clock;
  readonly settings: ChannelSettings;
  /** Memory the queues of several channels share. */
  readonly budget?: MemoryBudget | undefined;
}

/**
 * One TCP connection that carries datagrams, each whole and in order, while it lasts. From `dialChannel` or
 * `listenChannels`. Leaving an `await using` block closes it.
 */
export class DatagramChannel implements AsyncDisposable, AsyncIterable<Uint8Array> {
  /** The ends of the TCP connection. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Live counters: read, do not write. Outbound is what was given to `send`, inbound what came from the peer. */
  readonly counters = new Counters();
  /** Settles with how the channel ended, when its connection is gone. Never rejects. */
  readonly closed: Promise<ChannelEnd>;

  readonly #context: ChannelContext;
  readonly #stream: StreamPort;
  readonly #link: Link;
  readonly #inbox: Inbox;
  readonly #settleClosed: (end: ChannelEnd) => void;
  #closing: Promise<void> | undefined;
  #streamGone = false;

  /** @internal To be made in the turn in which the stream came up. */
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
   * Queues a datagram for the peer. When the queue is full the oldest in it are dropped, and what has waited for longer
   * than `maxDelayMs` is dropped too: {@link counters} tell how many and why.
   *
   * @param datagram 0 to 65,535 bytes, copied before return.
   * @returns whether it was queued: not when it is too long, when the channel is ending, or when the channels of one
   * listener together hold as much as they may.
   */
  send(datagram: Uint8Array): boolean {
    const refusal = this.#refusal(datagram.length);
    if (refusal !== undefined) this.counters.outbound.refuse(datagram, refusal);
    else this.#link.onDatagram(datagram);
    return refusal === undefined;
  }

  /** Bytes queued, headers included, that the kernel has not taken. */
  get bufferedAmount(): number {
    return this.#link.queueBytes;
  }

  /**
   * Hands every datagram to `receiver`, those that wait already first, in order. For one receiver, instead of iterating.
   *
   * @param receiver is given each datagram's bytes, 0 to 65,535. They are the receiver's to keep and to change; they are a
   * view into the chunk TCP brought, up to 512 KiB, all of which is kept with it: copy what is kept for long. What it
   * throws is raised as an uncaught exception, and the next datagram is handed on.
   */
  receive(receiver: (datagram: Uint8Array) => void): void {
    this.#inbox.receive(receiver);
  }

  /**
   * Takes datagrams one by one, with the ownership {@link receive} tells of, until the peer has ended the connection, it
   * is lost, or the channel is closed. While nobody takes them, 1024 datagrams or 1 MiB wait, then the peer is made to
   * wait. Leaving the loop closes nothing: another may go on.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const datagram = await this.#inbox.take();
      if (datagram === undefined) return;
      yield datagram;
    }
  }

  /** A snapshot of what it has done. */
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
   * Takes nothing more, writes what is queued for at most a second, ends the connection. Never rejects; calling it again
   * returns the same promise. When the peer ends the connection, the channel closes by itself once all that came has
   * been taken, so that answers can still be sent until then.
   */
  close(): Promise<void> {
    return this.end("closing");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal When a datagram last passed, either way. */
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

  /** @internal Closes it for this reason. */
  end(reason: DisconnectReason): Promise<void> {
    this.#closing ??= this.#finish().finally(() => this.#settleClosed({ reason }));
    return this.#closing;
  }

  #refusal(payloadBytes: number): DropReason | undefined {
    if (this.#streamGone) return "no stream";
    if (this.#closing !== undefined) return "closing";
    if (payloadBytes > PAYLOAD_BYTES_MAX) return "too long";
    return this.#context.budget?.allows(HEADER_BYTES + payloadBytes) === false ? "queue full" : undefined;
  }

  #onStreamEnd(end: StreamEnd): void {
    if (this.#streamGone) return; // cut off by us
    if (end.by === "peer") return this.#inbox.end(); // it may still read
    this.#streamGone = true;
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
    await waitUntilFlushed(clock, () => !this.#streamGone && this.#link.held.outbound > 0, deadline);
    if (this.#streamGone) return;
    this.#streamGone = true;
    const late = this.#link.detach();
    this.#link.dropHeld("closing");
    await closeGracefully(this.#stream, late, clock, Math.max(1, deadline - clock.now()));
  }
}
