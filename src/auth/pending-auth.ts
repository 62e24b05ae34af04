/**
 * Accepted connections whose clients are not authenticated yet. Anyone can open such a connection, so
 * everything is limited: how many are pending in total and per address prefix, for how long, and how many
 * bytes of each are kept (one response).
 *
 *   1. `add` sends the challenge.
 *   2. A correct response is answered with the confirmation, and the stream is passed on.
 *   3. Anything else is a failure. The client receives no answer, and the connection is closed at the
 *      deadline, as if the client had sent nothing. So neither an answer nor its delay shows what was wrong.
 */

import type { Clock, Timer } from "../net/clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { PendingLimiter } from "../net/pending-limiter.ts";
import type { StreamPort, StreamReceiver } from "../net/stream-port.ts";
import type { AuthFailureReason } from "../observe/counters.ts";
import type { ServerHandshake } from "./handshake.ts";

/** The age at which a pending connection is closed, whether its handshake has failed or is not finished. */
const AUTH_TIMEOUT_MS = 10_000;
/** A client in per-source mode dials this many at once. */
const PER_PREFIX_MAX = 64;

export interface PendingAuthOptions {
  readonly clock: Clock;
  /** How many connections may be pending at once. */
  readonly max: number;
  /** Makes the handshake for a connection. */
  readonly newHandshake: (stream: StreamPort) => ServerHandshake;
  /** Called once for each connection whose client is not authenticated. */
  readonly onAuthFailed: (remote: Endpoint, reason: AuthFailureReason) => void;
}

/** The pending connections of one listener. All listeners share the limits. */
export interface PendingOfListener {
  /** Starts the handshake on a new connection. */
  add(stream: StreamPort): void;
  /** Closes every pending connection of this listener. */
  close(): void;
}

export class PendingAuth {
  readonly #options: PendingAuthOptions;
  readonly #limiter: PendingLimiter<PendingConnection>;

  constructor(options: PendingAuthOptions) {
    this.#options = options;
    const limits = { max: options.max, perPrefix: PER_PREFIX_MAX };
    this.#limiter = new PendingLimiter(limits, (pending) => pending.abort("evicted"));
  }

  /** @param onAuthenticated receives each stream whose client is authenticated. */
  forListener(onAuthenticated: (stream: StreamPort) => void): PendingOfListener {
    const ofListener = new Set<PendingConnection>();
    let isClosed = false;
    return {
      add: (stream) => {
        const pending = this.#add(stream, onAuthenticated, ofListener);
        // An observer may have closed the listener when an older connection was evicted.
        if (isClosed) pending.abort();
        else pending.start();
      },
      close: () => {
        isClosed = true;
        for (const pending of [...ofListener]) pending.abort();
      },
    };
  }

  /** @param siblings the pending connections of the same listener. The new one adds and removes itself. */
  #add(
    stream: StreamPort,
    onAuthenticated: (stream: StreamPort) => void,
    siblings: Set<PendingConnection>,
  ): PendingConnection {
    const { clock, newHandshake, onAuthFailed } = this.#options;
    const { remote } = stream;
    const pending: PendingConnection = new PendingConnection(stream, newHandshake(stream), clock, {
      onAuthenticated,
      onAuthFailed: (reason) => onAuthFailed(remote, reason),
      onSettled: () => {
        siblings.delete(pending);
        this.#limiter.remove(pending);
      },
    });
    siblings.add(pending);
    this.#limiter.add(pending, remote.address);
    return pending;
  }
}

interface PendingConnectionEvents {
  onAuthenticated(stream: StreamPort): void;
  onAuthFailed(reason: AuthFailureReason): void;
  /** The connection is authenticated or closed. */
  onSettled(): void;
}

/** One connection whose client is not authenticated yet. */
class PendingConnection implements StreamReceiver {
  readonly #stream: StreamPort;
  readonly #handshake: ServerHandshake;
  readonly #events: PendingConnectionEvents;
  readonly #deadline: Timer;
  #isFailed = false;
  #isSettled = false;

  constructor(stream: StreamPort, handshake: ServerHandshake, clock: Clock, events: PendingConnectionEvents) {
    this.#stream = stream;
    this.#handshake = handshake;
    this.#events = events;
    this.#deadline = clock.after(AUTH_TIMEOUT_MS, () => this.abort("timeout"));
  }

  start(): void {
    this.#stream.receive(this);
    this.#send(this.#handshake.challenge);
  }

  onChunk(chunk: Uint8Array): void {
    if (this.#isFailed || this.#isSettled) return;
    const step = this.#handshake.take(chunk);
    if (step.state === "failed") {
      this.#fail(step.failure);
      this.#stream.pause(); // further data fills the peer's kernel, not this process
    } else if (step.state === "authenticated" && this.#send(step.send as Uint8Array)) {
      this.#settle();
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

  /** Closes the connection. @param reason is reported, unless a failure was reported before. */
  abort(reason?: AuthFailureReason): void {
    if (this.#isSettled) return;
    this.#settle();
    if (reason !== undefined) this.#fail(reason);
    this.#stream.terminate();
  }

  #fail(reason: AuthFailureReason): void {
    if (!this.#isFailed) this.#events.onAuthFailed(reason);
    this.#isFailed = true;
  }

  #settle(): void {
    this.#isSettled = true;
    this.#deadline.cancel();
    this.#events.onSettled();
  }

  /**
   * Returns whether the kernel took all bytes. If it did not, although they are few, aborts the connection.
   */
  #send(bytes: Uint8Array): boolean {
    const isSent = this.#stream.write(bytes) === bytes.length;
    if (!isSent) this.abort("closed by peer");
    return isSent;
  }
}
