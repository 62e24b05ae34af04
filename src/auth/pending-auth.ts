/**
 * Where connections wait until they have proved that they know the secret. Nobody has been authenticated here, so
 * everything is bounded: how many wait, how many of one origin, how long, and how much of each is kept (a response).
 *
 * What fails is told nothing and is closed at the same moment as if it had been silent, so that neither an answer nor
 * its delay says what was wrong.
 */

import type { Clock, Timer } from "../net/clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { PendingLimiter } from "../net/pending-limiter.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";
import type { AuthFailureReason } from "../observe/counters.ts";
import type { ServerHandshake } from "./handshake.ts";

/** How long a connection may wait, and how long one that has failed is held. */
const PROOF_TIMEOUT_MS = 10_000;
/** As many as one per-source client dials at once. */
const PER_PREFIX_MAX = 64;

export interface WaitingRoomOptions {
  readonly clock: Clock;
  /** How many may wait at once. */
  readonly max: number;
  /** A fresh handshake for this connection. */
  readonly newHandshake: (stream: StreamPort) => ServerHandshake;
  /** Told once of each connection that has not proved itself. */
  readonly onAuthFailed: (remote: Endpoint, reason: AuthFailureReason) => void;
}

/** The connections of one listener. All listeners share the limits; each closes its own connections. */
export interface ListenersConnections {
  /** Asks a new connection for its proof. */
  enter(stream: StreamPort): void;
  /** Closes every pending connection of this listener. */
  close(): void;
}

export class PendingAuth {
  readonly #options: WaitingRoomOptions;
  readonly #waiting: PendingLimiter<PendingConnection>;

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
    const limits = { max: options.max, perPrefix: PER_PREFIX_MAX };
    this.#waiting = new PendingLimiter(limits, (pending) => pending.abort("evicted"));
  }

  /** How many connections wait now, those that have failed included. */
  get size(): number {
    return this.#waiting.size;
  }

  /** For the connections of one listener. @param onAuthenticated called with each stream that has given its proof. */
  forListener(onAuthenticated: (stream: StreamPort) => void): ListenersConnections {
    const own = new Set<PendingConnection>();
    let closed = false;
    return {
      enter: (stream) => {
        const pending = this.#enter(stream, onAuthenticated, own);
        if (closed)
          pending.abort(); // an observer closed the listener when an older connection was evicted
        else pending.start();
      },
      close: () => {
        closed = true;
        for (const pending of [...own]) pending.abort();
      },
    };
  }

  /** @param siblings the pending connections of the same listener; the new one is added and removes itself. */
  #enter(
    stream: StreamPort,
    onAuthenticated: (stream: StreamPort) => void,
    siblings: Set<PendingConnection>,
  ): PendingConnection {
    const { clock, newHandshake, onAuthFailed } = this.#options;
    const { remote } = stream;
    const pending: PendingConnection = new PendingConnection(stream, newHandshake(stream), clock, {
      onAuthenticated,
      onAuthFailed: (reason) => onAuthFailed(remote, reason),
      onGone: () => {
        siblings.delete(pending);
        this.#waiting.remove(pending);
      },
    });
    siblings.add(pending);
    this.#waiting.add(pending, remote.address);
    return pending;
  }
}

interface NewcomerEvents {
  onAuthenticated(stream: StreamPort): void;
  onAuthFailed(reason: AuthFailureReason): void;
  /** It waits no longer, one way or the other. */
  onGone(): void;
}

/** One connection that has not proved itself yet. */
class PendingConnection implements StreamReceiver {
  readonly #stream: StreamPort;
  readonly #handshake: ServerHandshake;
  readonly #events: NewcomerEvents;
  readonly #deadline: Timer;
  #failed = false;
  #gone = false;

  constructor(stream: StreamPort, handshake: ServerHandshake, clock: Clock, events: NewcomerEvents) {
    this.#stream = stream;
    this.#handshake = handshake;
    this.#events = events;
    this.#deadline = clock.after(PROOF_TIMEOUT_MS, () => this.abort("timeout"));
  }

  start(): void {
    this.#stream.receive(this);
    this.#send(this.#handshake.challenge);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#failed || this.#gone) return;
    const step = this.#handshake.take(chunk);
    if (step.state === "failed") {
      this.#fail(step.failure);
      this.#stream.pause(); // what else it sends stays in its own kernel
    } else if (step.state === "authenticated" && this.#send(step.send as Uint8Array)) {
      this.#leave();
      this.#stream.pushBack(step.rest);
      this.#events.onAuthenticated(this.#stream);
    }
  }

  onDrain(): void {}

  onEnd(): void {
    this.abort("closed by peer");
  }

  onClose(): void {
    this.abort("closed by peer");
  }

  /** Ends the connection. @param reason counted, unless it had failed before. */
  abort(reason?: AuthFailureReason): void {
    if (this.#gone) return;
    this.#leave();
    if (reason !== undefined) this.#fail(reason);
    this.#stream.terminate();
  }

  #fail(reason: AuthFailureReason): void {
    if (!this.#failed) this.#events.onAuthFailed(reason);
    this.#failed = true;
  }

  #leave(): void {
    this.#gone = true;
    this.#deadline.cancel();
    this.#events.onGone();
  }

  /** A new connection has room for these few bytes; one that has not is of no use. */
  #send(bytes: Uint8Array): boolean {
    const sent = this.#stream.write(bytes) === bytes.length;
    if (!sent) this.abort("closed by peer");
    return sent;
  }
}
