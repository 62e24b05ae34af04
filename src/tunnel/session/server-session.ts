/**
 * A session at the server: one TCP connection and one UDP socket to the target.
 *
 *   1. `start` attaches the link to the connection.
 *   2. The first frame opens the UDP socket, to the current address of the target. If no socket can be
 *      opened, the link drops the datagram, and the next attempt is delayed.
 *   3. When the target's address changes, the next datagram opens a new socket, so that a late refusal is not
 *      attributed to the wrong address.
 *   4. After the client's FIN, answers are still sent to the client until the session is idle.
 */

import { type Link, reasonOf, type StreamEnd } from "../../link/link.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { NetError, networkFailure } from "../../net/network.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import type { AddressFilter } from "../access/address-filter.ts";
import { Backoff } from "../dial/backoff.ts";
import { FirstDatagrams } from "../target/first-datagrams.ts";
import type { SendWatch } from "../target/send-watch.ts";
import { isRefusal, type Target } from "../target/target.ts";
import { type Session, type SessionContext, sessionLink } from "./session.ts";
import { SessionSocket } from "./session-socket.ts";

/** A client that has sent FIN may still read. Its session ends when it has been idle for this long. */
const HALF_CLOSED_IDLE_MS = 10_000;

/** Shared by all sessions of a server. */
export interface ServerSessionContext extends SessionContext {
  readonly target: Target;
  /** Whether the target is a broadcast address. */
  readonly broadcast: boolean;
  /** The addresses that answers may come from. */
  readonly answering: AddressFilter;
  readonly sendWatch: SendWatch;
}

export class ServerSession implements Session {
  readonly remote: Endpoint;
  readonly link: Link;
  readonly #context: ServerSessionContext;
  readonly #stream: StreamPort;
  #streamClosed = false;
  /** The client has sent FIN. */
  #halfClosed = false;
  #ended = false;

  #socket: SessionSocket | undefined;
  /** The target's address that the socket sends to. */
  #targetAddress = "";
  /** Whether this address has answered. */
  #answered = false;
  /** The address has refused. The session leaves it at the end of the tick. */
  #leaving = false;
  readonly #firstDatagrams: FirstDatagrams;
  readonly #backoff = new Backoff();
  /** The error code of the last attempt to open a socket. */
  #failure = "";

  constructor(context: ServerSessionContext, stream: StreamPort) {
    const { network, trace, sendWatch } = context;
    this.#context = context;
    this.#stream = stream;
    this.remote = stream.remote;
    this.#firstDatagrams = new FirstDatagrams(network.clock);
    this.link = sessionLink(context, {
      openSender: () => this.#openSender(),
      trace: trace && ((from, bytes) => trace("inbound", from.remote, bytes)),
      sendWatch,
    });
  }

  get activeAt(): number {
    return this.link.activeAt;
  }

  get idleLimitMs(): number {
    const idleMs = this.#context.settings.idleTimeoutMs || Infinity;
    return this.#halfClosed ? Math.min(HALF_CLOSED_IDLE_MS, idleMs) : idleMs;
  }

  start(onEnd: (reason: DisconnectReason, code: string | undefined) => void): void {
    this.link.attach(this.#stream, (end: StreamEnd) => {
      if (end.by === "peer") {
        this.#halfClosed = true;
        if (this.#socket === undefined) onEnd("closed by peer", undefined);
        return;
      }
      this.#streamClosed = end.by === "error";
      const reason = this.#halfClosed ? "closed by peer" : reasonOf(end);
      onEnd(reason, end.by === "error" ? end.code : undefined);
    });
  }

  get writing(): boolean {
    return this.link.held.outbound > 0;
  }

  kernelDrops(): number | undefined {
    return this.#socket?.kernelDrops();
  }

  shrink(): void {
    this.link.shrink();
  }

  end(reason: DisconnectReason): void {
    const onLateChunk = this.link.detach();
    this.link.dropHeld(reason === "closing" ? "closing" : "stream lost");
    this.#ended = true;
    this.#replace(undefined);
    if (!this.#streamClosed) this.#context.draining.add(this.#stream, onLateChunk);
  }

  /** The target has other addresses, or another current one. The next datagram uses the current one. */
  retarget(): void {
    const { target } = this.#context;
    if (this.#socket === undefined || this.#targetAddress === target.address) return;
    // An address that has answered is kept, because the change may be due to another session.
    if (this.#answered && target.addresses.includes(this.#targetAddress)) return;
    this.link.removeSender();
  }

  /** The interface to the target has changed. The next datagram opens a new socket. */
  renew(): void {
    if (this.#socket === undefined) return;
    this.link.removeSender();
    this.#replace(undefined);
  }

  /** Gives the link a sender to the current address, or reports why no socket can be opened. */
  #openSender(): void {
    const { network, target, sendWatch } = this.#context;
    const now = network.clock.now();
    if (this.#backoff.waitMs(now) > 0) return sendWatch.onRefused(this.#failure, 1);
    if (this.#socket !== undefined && this.#targetAddress === target.address) return this.#socket.resume();
    const failure = this.#tryAll();
    if (failure === undefined) return this.#backoff.reset();
    this.#failure = failure;
    this.#backoff.onFailure(now);
    sendWatch.onRefused(failure, 1);
  }

  /** Opens a socket to the first address that allows it. @returns the error code when none does. */
  #tryAll(): string | undefined {
    const { target } = this.#context;
    for (let left = target.addresses.length; ; left--) {
      const { address } = target;
      try {
        this.#replace(this.#openSocket(address));
        this.#targetAddress = address;
        this.#answered = false;
        return undefined;
      } catch (error) {
        const { code } = networkFailure(error);
        if (left <= 1 || !isRefusal(code)) return code;
        target.refused(address, "no socket");
      }
    }
  }

  /** @throws NetError when no socket can be opened, or other addresses exist and this one has no route. */
  #openSocket(address: string): SessionSocket {
    const { network, target, trace } = this.#context;
    const to = { address, port: target.port };
    const hasOthers = target.addresses.length > 1;
    if (hasOthers && network.sourceAddressTo(to) === undefined)
      throw new NetError("ENETUNREACH", `no route to ${address}`);
    return new SessionSocket({
      ...this.#context,
      link: this.link,
      target: to,
      bind: target.localAddressFor(address),
      trace: trace && ((source, bytes) => trace("outbound", source, bytes)),
      firstDatagrams: hasOthers ? this.#firstDatagrams : undefined,
      onAnswer: () => this.#onAnswer(),
      onRefused: target.mayChange ? () => this.#onRefused() : undefined,
    });
  }

  #replace(socket: SessionSocket | undefined): void {
    this.#context.counters.kernelDrops += this.kernelDrops() ?? 0;
    this.#socket?.close();
    this.#socket = socket;
  }

  #onAnswer(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#firstDatagrams.end();
  }

  #onRefused(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    // At the end of the tick, because a half-sent batch still needs its socket.
    this.#context.network.clock.endOfTick(() => this.#leave());
  }

  /** Changes to the next address and sends the first datagrams to it again. */
  #leave(): void {
    const { target } = this.#context;
    this.#leaving = false;
    if (this.#ended) return;
    target.refused(this.#targetAddress);
    if (target.address === this.#targetAddress) return;
    this.#openSender();
    if (target.address === this.#targetAddress)
      this.#socket?.sendAgain(this.#firstDatagrams, target.addresses.length - 1);
  }
}
