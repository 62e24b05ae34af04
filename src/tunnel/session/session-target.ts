/**
 * A session's UDP socket to the target's address in use; another one when that changes. Each address has a socket of
 * its own, so that a late refusal is not attributed to the wrong address.
 */

import type { Link } from "../../link/link.ts";
import type { SendWatch } from "../../link/send-watch.ts";
import { NetError, networkFailure } from "../../net/network.ts";
import type { EventSource } from "../../observe/events.ts";
import type { AddressFilter } from "../access/address-filter.ts";
import { FirstDatagrams } from "../target/first-datagrams.ts";
import { isRefusal, type Target } from "../target/target.ts";
import type { Trace } from "../tunnel.ts";
import type { SessionContext } from "./session.ts";
import { SessionSocket } from "./session-socket.ts";

/** After a socket could not be opened, the next attempt waits this long, then twice as long, up to the longest. */
const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 5000;

/** What the sessions of one server share. */
export interface SessionTargetContext extends SessionContext {
  readonly events: EventSource;
  readonly target: Target;
  /** Whether the target is a broadcast address. */
  readonly broadcast: boolean;
  /** The addresses answers may come from. */
  readonly answering: AddressFilter;
  readonly sendWatch: SendWatch;
  readonly trace: Trace | undefined;
}

export class SessionTarget {
  readonly #context: SessionTargetContext;
  readonly #link: () => Link;
  readonly #first: FirstDatagrams;
  #socket: SessionSocket | undefined;
  /** The address that the socket sends to. */
  #address = "";
  /** Whether an answer has come from there. */
  #answered = false;
  #leaving = false;
  #retryMs = RETRY_FIRST_MS;
  #retryAt = -Infinity;
  #failure = "";
  #closed = false;

  /** @param link whose datagrams it sends. */
  constructor(context: SessionTargetContext, link: () => Link) {
    this.#context = context;
    this.#link = link;
    this.#first = new FirstDatagrams(context.network.clock);
  }

  /** Whether there is a socket. */
  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  kernelDrops(): number | undefined {
    return this.#socket?.kernelDrops();
  }

  /**
   * Gives the link a sender to the target. When no socket can be opened, the link drops the datagram, and the next
   * attempt waits.
   */
  open(): void {
    const { network, target, sendWatch } = this.#context;
    const now = network.clock.now();
    if (now < this.#retryAt) return sendWatch.onRefused(this.#failure, 1);
    if (this.#socket !== undefined && this.#address === target.address) return this.#socket.resume();
    const failure = this.#tryAll();
    if (failure === undefined) {
      this.#retryMs = RETRY_FIRST_MS;
      return;
    }
    this.#failure = failure;
    this.#retryAt = now + this.#retryMs;
    this.#retryMs = Math.min(RETRY_LONGEST_MS, this.#retryMs * 2);
    sendWatch.onRefused(failure, 1);
  }

  /** The target has other addresses, or another one is in use: the next datagram goes there. */
  retarget(): void {
    const { target } = this.#context;
    if (this.#socket === undefined || this.#address === target.address) return;
    // An address that answers is kept: the change may concern another session.
    if (this.#answered && target.addresses.includes(this.#address)) return;
    this.#link().sendTo(undefined, undefined);
  }

  /** The interface to the target has changed: the next datagram opens a new socket. */
  renew(): void {
    if (this.#socket === undefined) return;
    this.#link().sendTo(undefined, undefined);
    this.#replace(undefined);
  }

  close(): void {
    this.#closed = true;
    this.#replace(undefined);
  }

  /** Tries each address of the target in turn. @returns the errno name when none can be used. */
  #tryAll(): string | undefined {
    const { target } = this.#context;
    for (let left = target.addresses.length; ; left--) {
      const { address } = target;
      try {
        this.#replace(this.#openSocket(address));
        this.#address = address;
        this.#answered = false;
        return undefined;
      } catch (error) {
        const { code } = networkFailure(error);
        if (left <= 1 || !isRefusal(code)) return code;
        target.refused(address, "unusable");
      }
    }
  }

  /** @throws NetError when no socket can be opened, or there are other addresses and no route to this one. */
  #openSocket(address: string): SessionSocket {
    const { network, target, trace } = this.#context;
    const to = { address, port: target.port };
    const hasOthers = target.addresses.length > 1;
    if (hasOthers && network.sourceAddressTo(to) === undefined)
      throw new NetError("ENETUNREACH", `there is no route to ${address}`);
    return new SessionSocket({
      ...this.#context,
      link: this.#link(),
      target: to,
      bind: target.localAddressFor(address),
      trace: trace && ((source, bytes) => trace("outbound", source, bytes)),
      first: hasOthers ? this.#first : undefined,
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
    this.#first.end();
  }

  #onRefused(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    // At the end of the turn: a batch may be half sent.
    this.#context.network.clock.endOfTick(() => this.#leave());
  }

  /** The address has refused. */
  #leave(): void {
    const { target } = this.#context;
    this.#leaving = false;
    if (this.#closed) return;
    target.refused(this.#address);
    if (target.address === this.#address) return;
    this.open();
    if (target.address === this.#address) this.#socket?.sendAgain(this.#first, target.addresses.length - 1);
  }
}
