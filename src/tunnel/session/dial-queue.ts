/**
 * Dials for the sessions of a per-source client. While the server answers, each session has its own dial, at
 * most DIALS_MAX at a time. While it does not answer, one dial at a time probes it, so that thousands of
 * sessions do not all dial.
 *
 * A server can also accept connections and close them: a load balancer without a backend, a limit, a server
 * without `-p`. So the first connection after a probe is on trial. The other sessions wait until the peer's
 * first frame arrives, but no longer than the trial, because a one-way peer sends no frame.
 *
 * A connection is useful once it has received a frame, or when it has lived for USEFUL_MS. It resets the
 * delays, and makes the next failure a warning again.
 */

import type { Timer } from "../../net/clock.ts";
import { reset } from "../../net/close-stream.ts";
import { type NetError, type Network, networkFailure } from "../../net/network.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DialTarget, StreamTransport } from "../../net/stream-transport.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import { Backoff, RedialTimer } from "../dial/backoff.ts";
import { type DialAttempt, dialOnce } from "../dial/dial-once.ts";
import type { ServerList } from "../dial/server-list.ts";

/** Concurrent dials. */
const DIALS_MAX = 64;
/** How long the first connection is on trial. The time doubles with each early close, like a delay. */
const TRIAL_MS = 300;
/**
 * After this many early closes in a row the cause is the server, not one session of many that was idle. The
 * queue reports that, and probes the server again.
 */
const EARLY_CLOSES_MAX = 3;

/** A session that needs a stream. */
export interface DialRequest {
  /** Whether the session still needs the stream. */
  readonly pending: boolean;
  /** Called in the tick in which the stream came up. */
  onStream(stream: StreamPort): void;
}

export class DialQueue {
  readonly #network: Network;
  readonly #transport: StreamTransport;
  readonly #events: EventReporter;
  readonly #servers: ServerList;
  readonly #backoff: Backoff;
  /** Its next delay is the length of the next trial. */
  readonly #trialBackoff = new Backoff(undefined, TRIAL_MS);
  readonly #requests = new Set<DialRequest>();
  readonly #attempts = new Set<DialAttempt>();
  /** The address that last accepted a connection; undefined while the server does not answer. */
  #server: DialTarget | undefined;
  #probing = false;
  /** Runs while the first connection is on trial. */
  #trial: Timer | undefined;
  #redial: RedialTimer | undefined;
  #earlyCloses = 0;
  #answered = true;
  #stopped = false;

  constructor(network: Network, transport: StreamTransport, events: EventReporter, servers: ServerList) {
    this.#network = network;
    this.#transport = transport;
    this.#events = events;
    this.#servers = servers;
    this.#backoff = new Backoff(() => network.random());
  }

  /** Requests a stream. */
  add(request: DialRequest): void {
    if (this.#stopped) return;
    this.#requests.add(request);
    this.#dial();
    this.expedite();
  }

  /** Shortens the delay before the next probe, because a datagram waits. */
  expedite(): void {
    this.#redial?.onDemand();
  }

  /** Withdraws a request. */
  remove(request: DialRequest): void {
    this.#requests.delete(request);
  }

  /** A connection is or was useful. */
  onUseful(): void {
    this.#earlyCloses = 0;
    this.#backoff.reset();
    this.#trialBackoff.reset();
    this.#events.resetThrottle("dial failed");
    if (this.#trial !== undefined) this.#endTrial();
  }

  /** The server has accepted a connection and closed it before it was useful. */
  onEarlyClose(): void {
    this.#earlyCloses++;
    if (this.#earlyCloses === EARLY_CLOSES_MAX)
      this.#events.report({ type: "mode mismatch", server: this.#servers.name });
    if (this.#stopped || this.#redial !== undefined) return;
    if (this.#trial === undefined && this.#earlyCloses < EARLY_CLOSES_MAX) return;
    if (this.#trial !== undefined) this.#answered = false;
    this.#trial?.cancel();
    this.#trial = undefined;
    this.#trialBackoff.onFailure(this.#network.clock.now());
    this.#server = undefined;
    this.#servers.next();
    this.#scheduleRedial();
  }

  /** Whether the early closes since the last useful connection have been reported. */
  get closesEarly(): boolean {
    return this.#earlyCloses >= EARLY_CLOSES_MAX;
  }

  /** Whether the server answered the last dial; true before the first one. */
  get answered(): boolean {
    return this.#answered;
  }

  stop(): void {
    this.#stopped = true;
    this.#redial?.cancel();
    this.#trial?.cancel();
    for (const attempt of this.#attempts) attempt.cancel();
  }

  /** Starts the dials that may start now. */
  #dial(): void {
    if (this.#stopped || this.#redial !== undefined || this.#trial !== undefined || this.#probing) return;
    if (this.#server === undefined) {
      if (this.#requests.size > 0) void this.#probe();
      return;
    }
    for (const request of this.#requests) {
      if (this.#attempts.size >= DIALS_MAX) return;
      this.#requests.delete(request);
      void this.#dialFor(request, this.#server);
    }
  }

  async #dialFor(request: DialRequest, server: DialTarget): Promise<void> {
    const failure = await this.#connect(server, (stream) => this.#deliver(stream, request));
    if (failure !== undefined) {
      if (request.pending) this.#requests.add(request);
      if (this.#server === server) this.#server = undefined;
    }
    this.#dial();
  }

  /** Dials the server's addresses one by one. The first one that accepts serves the oldest request. */
  async #probe(): Promise<void> {
    this.#probing = true;
    let failure: NetError | undefined;
    try {
      for (const server of await this.#servers.addresses()) {
        if (this.#stopped) return;
        failure = await this.#connect(server, (stream) => {
          const [oldest] = this.#requests;
          if (oldest !== undefined) this.#requests.delete(oldest);
          this.#server = server;
          this.#beginTrial(oldest);
          this.#deliver(stream, oldest);
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
      this.#report(failure, this.#scheduleRedial());
      this.#servers.next();
    }
    this.#dial();
  }

  /** Starts a trial, unless no session needs the connection any more: no frame could end the trial then. */
  #beginTrial(request: DialRequest | undefined): void {
    if (request?.pending)
      this.#trial = this.#network.clock.after(this.#trialBackoff.nextMs, () => this.#endTrial());
    else this.#answered = true;
  }

  #endTrial(): void {
    this.#trial?.cancel();
    this.#trial = undefined;
    this.#answered = true;
    this.#dial();
  }

  #deliver(stream: StreamPort, request: DialRequest | undefined): void {
    if (request?.pending && !this.#stopped) request.onStream(stream);
    else reset(stream);
  }

  /** @returns undefined when the dial succeeded, else the failure. */
  async #connect(to: DialTarget, onStream: (stream: StreamPort) => void): Promise<NetError | undefined> {
    const attempt = dialOnce(this.#transport, this.#network.clock, to, 1, onStream);
    this.#attempts.add(attempt);
    try {
      return await attempt.done;
    } finally {
      this.#attempts.delete(attempt);
    }
  }

  /** @returns the delay. */
  #scheduleRedial(): number {
    const { clock } = this.#network;
    const delayMs = this.#backoff.onFailure(clock.now());
    this.#redial?.cancel(); // an early close may have started one while this dial was pending
    this.#redial = new RedialTimer(clock, delayMs, () => {
      this.#redial = undefined;
      this.#dial();
    });
    return delayMs;
  }

  #report({ code, message }: NetError, retryInMs: number): void {
    this.#events.report({ type: "dial failed", to: this.#servers.name, code, message, retryInMs });
  }
}
