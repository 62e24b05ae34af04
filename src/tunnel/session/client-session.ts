/** One UDP source at a per-source client: its link, and the life of its connections, one at a time. */

import { type Link, reasonOf, type StreamEnd } from "../../link/link.ts";
import type { Timer } from "../../net/clock.ts";
import type { DatagramPort, DatagramSender, LocalAddress } from "../../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../../net/endpoint.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import { Backoff, USEFUL_MS } from "../dial/backoff.ts";
import type { SendWatch } from "../target/send-watch.ts";
import type { Trace } from "../tunnel.ts";
import type { DialRequest } from "./dial-queue.ts";
import { type Session, type SessionContext, sessionLink } from "./session.ts";

export interface ClientSessionEvents {
  /** The session needs a stream: `onStream` is to be called with one. */
  requestStream(session: ClientSession): void;
  /** Another datagram waits for a stream that has been asked for. */
  expedite(): void;
  /** The peer has answered: the first frame of a stream has come. */
  onHeard(): void;
  /** A stream has ended. @param unread the peer did not answer on it, and it was short. */
  onStreamEnd(
    session: ClientSession,
    reason: DisconnectReason,
    code: string | undefined,
    unread: boolean,
  ): void;
}

export class ClientSession implements DialRequest, Session {
  readonly source: Endpoint;
  readonly #context: SessionContext;
  readonly #events: ClientSessionEvents;
  readonly #link: Link;
  readonly #sender: DatagramSender;
  #seeking = false;
  #ended = false;
  readonly #backoff = new Backoff();
  #attachedAt = 0;
  #pause: Timer | undefined;

  constructor(
    context: SessionContext,
    source: Endpoint,
    port: DatagramPort,
    events: ClientSessionEvents,
    sendWatch: SendWatch,
    trace: Trace | undefined,
  ) {
    this.source = source;
    this.#context = context;
    this.#events = events;
    this.#link = sessionLink(context, {
      onDemand: () => this.#onWanted(),
      onFirstFrame: () => events.onHeard(),
      trace: trace && ((stream, bytes) => trace("inbound", stream.remote, bytes)),
      sendWatch,
    });
    this.#sender = this.#link.sendTo(
      (observer) => port.sender(source, observer),
      familyOf(unmapped(source.address)),
    );
  }

  get activeAt(): number {
    return this.#link.activeAt;
  }

  get idleLimitMs(): number {
    return this.#context.settings.idleTimeoutMs || Infinity;
  }

  get link(): Link {
    return this.#link;
  }

  get pending(): boolean {
    return this.#seeking && !this.#ended;
  }

  /** @param local the address the source sent it to: answers leave from there. */
  onDatagram(payload: Uint8Array, local: LocalAddress | undefined): void {
    if (local !== undefined && local !== this.#sender.from) this.#sender.from = local;
    this.#link.onDatagram(payload);
  }

  onStream(stream: StreamPort): void {
    this.#seeking = false;
    this.#context.counters.connects++;
    this.#attachedAt = this.#context.network.clock.now();
    this.#link.attach(stream, (end) => this.#streamEnded(stream, end));
  }

  /** Whether datagrams are being written. */
  get writing(): boolean {
    return this.#link.stream !== undefined && this.#link.held.outbound > 0;
  }

  shrink(): void {
    this.#link.shrink();
  }

  /** Ends the session; what waits is lost. */
  end(reason: DisconnectReason): void {
    this.#ended = true;
    this.#pause?.cancel();
    const { stream } = this.#link;
    const late = this.#link.detach();
    this.#link.dropHeld(reason === "closing" ? "closing" : "stream lost");
    if (stream !== undefined) this.#context.draining.add(stream, late);
  }

  #streamEnded(stream: StreamPort, end: StreamEnd): void {
    const now = this.#context.network.clock.now();
    // One that lived was read, or was idle; traffic that goes one way never has an answer.
    const unread = !this.#link.receivedFrame && now - this.#attachedAt < USEFUL_MS;
    if (unread) this.#backoff.onFailure(now);
    else this.#backoff.reset();
    const late = this.#link.detach();
    if (end.by !== "error") this.#context.draining.add(stream, late);
    this.#events.onStreamEnd(this, reasonOf(end), end.by === "error" ? end.code : undefined, unread);
    if (this.#link.held.outbound > 0) this.#onWanted();
  }

  /** A datagram waits and there is no stream. */
  #onWanted(): void {
    if (this.#ended || this.#pause !== undefined) return;
    if (this.#seeking) return this.#events.expedite();
    const { clock } = this.#context.network;
    const pauseMs = this.#backoff.waitMs(clock.now());
    if (pauseMs === 0) return this.#seek();
    this.#pause = clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.#seek();
    });
  }

  #seek(): void {
    this.#seeking = true;
    this.#events.requestStream(this);
  }
}
