/**
 * Runs the TLS handshakes of a listener:
 *
 * 1. `accept` limits how many are pending. Beyond the limit it aborts the oldest one.
 * 2. The queue of the process decides when each starts. Until then the connection is paused, so that the
 *    client's data stays in the kernel.
 */

import { systemClock } from "../clock.ts";
import type { Endpoint } from "../endpoint.ts";
import { HandshakeQueue, type PausedHandshake } from "../handshake-queue.ts";
import type { NetError } from "../network.ts";
import { PendingLimiter, pendingMax } from "../pending-limiter.ts";
import type { StreamPort } from "../stream-port.ts";
import type { AcceptPolicy } from "../stream-transport.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { HandshakeTerms } from "../tls/certificates.ts";
import { tlsFailure } from "../tls/tls-failure.ts";
import { type TlsSocket, TlsStreamPort } from "./tls-stream-port.ts";

/**
 * Twice the number of dials that a client with sessions has pending. With TLS 1.3 the client completes its
 * handshake first, and dials again while the server's handshake is still pending (RFC 8446, section 2).
 */
export const HANDSHAKES_PER_PREFIX_MAX = 128;

export class TlsAcceptor {
  readonly #system: SystemSockets | undefined;
  readonly #terms: HandshakeTerms;
  readonly #onStream: (stream: StreamPort) => void;
  readonly #acceptPolicy: AcceptPolicy;
  readonly #pending: PendingLimiter<TlsStreamPort>;
  readonly #queue = HandshakeQueue.of(systemClock);
  #stopped = false;

  /** @param onStream gets each connection after its handshake. */
  constructor(
    system: SystemSockets | undefined,
    terms: HandshakeTerms,
    onStream: (stream: StreamPort) => void,
    acceptPolicy: AcceptPolicy,
  ) {
    const max = pendingMax(system?.descriptorLimit() ?? Infinity);
    this.#pending = new PendingLimiter({ max, perPrefix: HANDSHAKES_PER_PREFIX_MAX }, (port) =>
      port.fail(tlsFailure("TLS_OVERLOADED", terms.side)),
    );
    this.#system = system;
    this.#terms = terms;
    this.#onStream = onStream;
    this.#acceptPolicy = acceptPolicy;
  }

  /** Begins the handshake of an accepted connection. */
  accept(socket: TlsSocket, remote: Endpoint): void {
    const onDone = (failure: NetError | undefined) => {
      this.#pending.remove(port);
      this.#queue.forget(handshake);
      if (failure === undefined) this.#onStream(port);
      else if (!this.#stopped) this.#acceptPolicy.onHandshakeFailed(remote, failure);
    };
    const port = new TlsStreamPort(socket, this.#system, this.#terms, onDone, remote);
    const handshake: PausedHandshake = {
      start: () => {
        this.#pending.renew(port); // the time in the queue does not count
        port.resume();
      },
    };
    this.#pending.add(port, remote.address);
    if (!this.#queue.admit(handshake)) port.pause();
    if (this.#stopped) this.stop(); // the policy closed the listener when it was notified of an eviction
  }

  /** Aborts every handshake, without notifying the policy. */
  stop(): void {
    this.#stopped = true;
    for (const port of this.#pending.members) port.fail(tlsFailure("TLS_CLOSED", this.#terms.side));
  }
}
