/** Runs the TLS handshakes of a listener: limits how many are pending, and paces how fast they start. */

import { systemClock } from "../clock.ts";
import type { Endpoint } from "../endpoint.ts";
import type { NetError } from "../network.ts";
import { Pacer } from "../pacer.ts";
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
/**
 * From the start of one handshake to the next. Each costs some 0.5 ms; a flood must not use most of the time.
 */
const INTERVAL_MS = 2;

export class TlsAcceptor {
  readonly #system: SystemSockets | undefined;
  readonly #terms: HandshakeTerms;
  readonly #onStream: (stream: StreamPort) => void;
  readonly #acceptPolicy: AcceptPolicy;
  readonly #pending: PendingLimiter<TlsStreamPort>;
  readonly #pacer: Pacer<TlsStreamPort>;
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
    // The pacer delayed the handshake, so its time in the queue does not count.
    this.#pacer = new Pacer(systemClock, INTERVAL_MS, (port) => this.#pending.renew(port));
    this.#system = system;
    this.#terms = terms;
    this.#onStream = onStream;
    this.#acceptPolicy = acceptPolicy;
  }

  /** Begins the handshake of an accepted connection. */
  accept(socket: TlsSocket, remote: Endpoint): void {
    const onDone = (failure: NetError | undefined) => {
      this.#pending.remove(port);
      this.#pacer.remove(port);
      if (failure === undefined) this.#onStream(port);
      else if (!this.#stopped) this.#acceptPolicy.onHandshakeFailed(remote, failure);
    };
    const port = new TlsStreamPort(socket, this.#system, this.#terms, onDone, remote);
    this.#pending.add(port, remote.address);
    this.#pacer.add(port);
    if (this.#stopped) this.stop(); // the policy closed the listener when it was notified of an eviction
  }

  /** Aborts every handshake, without notifying the policy. */
  stop(): void {
    this.#stopped = true;
    for (const port of this.#pending.members) port.fail(tlsFailure("TLS_CLOSED", this.#terms.side));
  }
}
