/** A session at the client: one UDP source, its link, and its TCP connections, one at a time. */

import { type Link, reasonOf, type StreamEnd } from "../../link/link.ts";
import type { Timer } from "../../net/clock.ts";
import type { DatagramPort, DatagramSender, LocalAddress } from "../../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../../net/endpoint.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import { Backoff, USEFUL_MS } from "../dial/backoff.ts";
import type { SendWatch } from "../target/send-watch.ts";
import type { DialQueue, DialRequest } from "./dial-queue.ts";
import { type Session, type SessionContext, sessionLink } from "./session.ts";

export class ClientSession implements DialRequest, Session {
  readonly source: Endpoint;
  readonly link: Link;
  readonly #context: SessionContext;
  readonly #dialQueue: DialQueue;
  readonly #sender: DatagramSender;
  readonly #backoff = new Backoff();
  /** A stream has been requested and has not come up yet. */
  #requested = false;
  /** Delays the next request, after a connection that was not useful. */
  #delay: Timer | undefined;
  #attachedAt = 0;
  #ended = false;

  /** @param port receives from the source and sends to it. */
  constructor(
    context: SessionContext,
    dialQueue: DialQueue,
    source: Endpoint,
    port: DatagramPort,
    sendWatch: SendWatch,
  ) {
    const { trace } = context;
    this.source = source;
    this.#context = context;
    this.#dialQueue = dialQueue;
    this.link = sessionLink(context, {
      onDemand: () => this.#onDemand(),
      onFirstFrame: () => dialQueue.onUseful(),
      trace: trace && ((stream, bytes) => trace("inbound", stream.remote, bytes)),
      sendWatch,
    });
    this.#sender = this.link.sendTo(
      (observer) => port.sender(source, observer),
      familyOf(unmapped(source.address)),
    );
  }

  get activeAt(): number {
    return this.link.activeAt;
  }

  get idleLimitMs(): number {
    return this.#context.settings.idleTimeoutMs || Infinity;
  }

  get pending(): boolean {
    return this.#requested && !this.#ended;
  }

  /** @param local the address that the source sent to. Answers are sent from it. */
  onDatagram(payload: Uint8Array, local: LocalAddress | undefined): void {
    if (local !== undefined && local !== this.#sender.from) this.#sender.from = local;
    this.link.onDatagram(payload);
  }

  onStream(stream: StreamPort): void {
    this.#requested = false;
    this.#context.counters.connects++;
    this.#attachedAt = this.#context.network.clock.now();
    this.link.attach(stream, (end) => this.#onStreamEnd(stream, end));
  }

  get writing(): boolean {
    return this.link.stream !== undefined && this.link.held.outbound > 0;
  }

  shrink(): void {
    this.link.shrink();
  }

  /** Ends the session. Queued datagrams are dropped. */
  end(reason: DisconnectReason): void {
    this.#ended = true;
    this.#delay?.cancel();
    this.#dialQueue.remove(this);
    const { stream } = this.link;
    const onLateChunk = this.link.detach();
    this.link.dropHeld(reason === "closing" ? "closing" : "stream lost");
    if (stream !== undefined) this.#context.draining.add(stream, onLateChunk);
  }

  #onStreamEnd(stream: StreamPort, end: StreamEnd): void {
    const { network, draining, events } = this.#context;
    const now = network.clock.now();
    const useful = this.link.receivedFrame || now - this.#attachedAt >= USEFUL_MS;
    if (useful) this.#backoff.reset();
    else this.#backoff.onFailure(now);
    const onLateChunk = this.link.detach();
    if (end.by !== "error") draining.add(stream, onLateChunk);
    const reason = reasonOf(end);
    const code = end.by === "error" ? end.code : undefined;
    const again = !useful && this.#dialQueue.closesEarly;
    events.report({ type: "session disconnected", source: this.source, reason, code }, again);
    if (useful) this.#dialQueue.onUseful();
    else this.#dialQueue.onEarlyClose();
    if (this.link.held.outbound > 0) this.#onDemand();
  }

  /** A datagram waits for a stream. */
  #onDemand(): void {
    if (this.#ended || this.#delay !== undefined) return;
    if (this.#requested) return this.#dialQueue.expedite();
    const { clock } = this.#context.network;
    const delayMs = this.#backoff.waitMs(clock.now());
    if (delayMs === 0) return this.#requestStream();
    this.#delay = clock.after(delayMs, () => {
      this.#delay = undefined;
      this.#requestStream();
    });
  }

  #requestStream(): void {
    this.#requested = true;
    this.#dialQueue.add(this);
  }
}
