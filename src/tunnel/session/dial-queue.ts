/**
 * Dials for the sessions of a per-source client. While the server answers, each session gets its dial, at most
 * DIALS_MAX at a time. When it does not, one dial at a time probes whether it is back, so that thousands of sessions do
 * not all dial.
 *
 * A server can also accept connections and hang up: a balancer without a server behind it, a limit, an end without
 * `-p`. So the first connection is on trial, and the other sessions wait until the peer's first frame has come, or for
 * a moment, because traffic may go one way. For the pauses and the log only a frame, or a long life, counts as success.
 */

import type { Timer } from "../../net/clock.ts";
import { reset } from "../../net/close-stream.ts";
import { type NetError, type Network, networkFailure } from "../../net/network.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DialTarget, StreamTransport } from "../../net/stream-transport.ts";
import type { EventSource } from "../../observe/events.ts";
import { Backoff, RedialTimer } from "../dial/backoff.ts";
import { type DialAttempt, dialOnce } from "../dial/dial-once.ts";
import type { ServerList } from "../dial/server-list.ts";

/** Dials under way at once. */
const DIALS_MAX = 64;
/** How long the first connection is on trial. The trial doubles with each hang-up, like a delay. */
const TRIAL_MS = 300;
/** After this many hang-ups in a row a server that is past its trial is on trial again. */
const HANG_UPS_MAX = 3;

/** Somebody who needs a stream. */
export interface DialRequest {
  /** Whether the stream is still wanted. */
  readonly pending: boolean;
  /** To be called in the turn in which the stream came up. */
  onStream(stream: StreamPort): void;
}

export class DialQueue {
  readonly #network: Network;
  readonly #transport: StreamTransport;
  readonly #events: EventSource;
  readonly #servers: ServerList;
  readonly #backoff: Backoff;
  readonly #trialLength = new Backoff(undefined, TRIAL_MS);
  readonly #waiting = new Set<DialRequest>();
  readonly #attempts = new Set<DialAttempt>();
  /** Where the server answered last; undefined while it does not answer. */
  #server: DialTarget | undefined;
  #probing = false;
  /** Runs while the server has accepted one connection that is still on trial. */
  #trial: Timer | undefined;
  #redial: RedialTimer | undefined;
  #stopped = false;
  #answered = true;

  constructor(network: Network, transport: StreamTransport, events: EventSource, servers: ServerList) {
    this.#network = network;
    this.#transport = transport;
    this.#events = events;
    this.#servers = servers;
    this.#backoff = new Backoff(() => network.random());
  }

  /** Finds this request a stream, in its turn. */
  add(request: DialRequest): void {
    if (this.#stopped) return;
    this.#waiting.add(request);
    this.#proceed();
    this.expedite();
  }

  /** Makes the wait for a server that is gone short, because somebody has something to send. */
  expedite(): void {
    this.#redial?.onDemand();
  }

  /** A connection has been useful. */
  onUseful(): void {
    this.#backoff.reset();
    this.#trialLength.reset();
    this.#events.forget("dial failed");
    if (this.#trial !== undefined) this.#endTrial();
  }

  /**
   * The server has accepted a connection and ended it before it sent anything. Other connections would fare no better
   * now.
   *
   * @param inARow how many times that has happened since a connection was useful. One session of many may have been
   *   idle.
   */
  onEarlyClose(inARow: number): void {
    if (this.#stopped || this.#redial !== undefined) return;
    if (this.#trial === undefined && inARow < HANG_UPS_MAX) return;
    if (this.#trial !== undefined) this.#answered = false;
    this.#trial?.cancel();
    this.#trial = undefined;
    this.#trialLength.onFailure(this.#network.clock.now());
    this.#server = undefined;
    this.#servers.next();
    this.#wait();
  }

  /** This request wants no stream any more. */
  forget(request: DialRequest): void {
    this.#waiting.delete(request);
  }

  /** Whether the server answered when it was last dialled; true before the first time. */
  get answered(): boolean {
    return this.#answered;
  }

  stop(): void {
    this.#stopped = true;
    this.#redial?.cancel();
    this.#trial?.cancel();
    for (const attempt of this.#attempts) attempt.cancel();
  }

  #proceed(): void {
    if (this.#stopped || this.#redial !== undefined || this.#trial !== undefined || this.#probing) return;
    if (this.#server === undefined) {
      if (this.#waiting.size > 0) void this.#probe();
      return;
    }
    for (const request of this.#waiting) {
      if (this.#attempts.size >= DIALS_MAX) return;
      this.#waiting.delete(request);
      void this.#dialFor(request, this.#server);
    }
  }

  async #dialFor(request: DialRequest, server: DialTarget): Promise<void> {
    const failure = await this.#connect(server, (stream) => this.#hand(stream, request));
    if (failure !== undefined) {
      if (request.pending) this.#waiting.add(request);
      if (this.#server === server) this.#server = undefined;
    }
    this.#proceed();
  }

  /** Looks for a server that answers; the first session that waits gets the connection. */
  async #probe(): Promise<void> {
    this.#probing = true;
    let failure: NetError | undefined;
    try {
      for (const server of await this.#servers.addresses()) {
        if (this.#stopped) return;
        failure = await this.#connect(server, (stream) => {
          const [first] = this.#waiting;
          if (first !== undefined) this.#waiting.delete(first);
          this.#beginTrial(server, first?.pending === true);
          this.#hand(stream, first);
        });
        if (failure === undefined) break;
      }
    } catch (error) {
      failure = networkFailure(error);
    } finally {
      this.#probing = false;
    }
    if (this.#stopped) return;
    if (failure !== undefined) {
      this.#answered = false;
      this.#report(failure, this.#wait());
      this.#servers.next();
    }
    this.#proceed();
  }

  /** The server has accepted a connection. @param used whether a session takes it, so that it can be useful. */
  #beginTrial(server: DialTarget, used: boolean): void {
    this.#server = server;
    if (used) this.#trial = this.#network.clock.after(this.#trialLength.nextMs, () => this.#endTrial());
    else this.#answered = true;
  }

  #endTrial(): void {
    this.#trial?.cancel();
    this.#trial = undefined;
    this.#answered = true;
    this.#proceed();
  }

  #hand(stream: StreamPort, request: DialRequest | undefined): void {
    if (request?.pending && !this.#stopped) request.onStream(stream);
    else reset(stream);
  }

  /** @returns undefined when it succeeded, else why not. */
  async #connect(to: DialTarget, onStream: (stream: StreamPort) => void): Promise<NetError | undefined> {
    const attempt = dialOnce(this.#transport, this.#network.clock, to, 1, onStream);
    this.#attempts.add(attempt);
    try {
      return await attempt.done;
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  /** @returns the length of the pause. */
  #wait(): number {
    const { clock } = this.#network;
    const delayMs = this.#backoff.onFailure(clock.now());
    this.#redial?.cancel(); // a hang-up may have begun a pause while a dial was under way
    this.#redial = new RedialTimer(clock, delayMs, () => {
      this.#redial = undefined;
      this.#proceed();
    });
    return delayMs;
  }

  #report({ code, message }: NetError, retryInMs: number): void {
    this.#events.report({ type: "dial failed", to: this.#servers.name, code, message, retryInMs });
  }
}
