/** The TLS handshakes under way at a listener: only so many at once, and one begun after the other. */

import { systemClock } from "../clock.ts";
import type { Endpoint } from "../endpoint.ts";
import type { NetError } from "../network.ts";
import { Pacer } from "../pacer.ts";
import { PendingLimiter } from "../pending-limiter.ts";
import type { StreamPort } from "../stream-port.ts";
import type { AcceptPolicy } from "../stream-transport.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { HandshakeTerms } from "../tls/certificates.ts";
import { tlsFailure } from "../tls/tls-failure.ts";
import { type TlsSocket, TlsStreamPort } from "./tls-stream-port.ts";

const HANDSHAKES_MAX = 256;
/**
 * Twice what a per-source client dials at once: with TLS 1.3 it is through, and dials on, before we know (RFC
 * 8446, section 2).
 */
export const HANDSHAKES_PER_PREFIX_MAX = 128;
const DESCRIPTORS_SHARE = 1 / 4;
/**
 * From the beginning of one to that of the next: each costs some 0.5 ms, and a flood may not take most of the
 * time.
 */
const INTERVAL_MS = 2;

/** How many handshakes may be under way where this many files and sockets may be open. */
export function handshakesMaxOf(descriptorLimit: number): number {
  return Math.min(HANDSHAKES_MAX, Math.ceil(descriptorLimit * DESCRIPTORS_SHARE));
}

export class TlsAcceptor {
  readonly #system: SystemSockets | undefined;
  readonly #terms: HandshakeTerms;
  readonly #onStream: (stream: StreamPort) => void;
  readonly #acceptPolicy: AcceptPolicy;
  readonly #pending: PendingLimiter<TlsStreamPort>;
  readonly #pacer: Pacer<TlsStreamPort>;
  #stopped = false;

  constructor(
    system: SystemSockets | undefined,
    terms: HandshakeTerms,
    onStream: (stream: StreamPort) => void,
    acceptPolicy: AcceptPolicy,
  ) {
    const max = handshakesMaxOf(system?.descriptorLimit() ?? Infinity);
    this.#pending = new PendingLimiter({ max, perPrefix: HANDSHAKES_PER_PREFIX_MAX }, (port) =>
      port.fail(tlsFailure("TLS_OVERLOADED", terms.side)),
    );
    // Who has waited did so for our sake.
    this.#pacer = new Pacer(systemClock, INTERVAL_MS, (port) => this.#pending.renew(port));
    this.#system = system;
    this.#terms = terms;
    this.#onStream = onStream;
    this.#acceptPolicy = acceptPolicy;
  }

  /** A connection has come. */
  begin(socket: TlsSocket, remote: Endpoint): void {
    const onDone = (failure: NetError | undefined) => {
      this.#pending.remove(port);
      this.#pacer.remove(port);
      if (failure === undefined) this.#onStream(port);
      else if (!this.#stopped) this.#acceptPolicy.onFailure(remote, failure);
    };
    const port = new TlsStreamPort(socket, this.#system, this.#terms, onDone, remote);
    this.#pending.add(port, remote.address);
    this.#pacer.add(port);
    if (this.#stopped) this.stop(); // in answer to what was told of whoever made room
  }

  /** Breaks off every handshake, and tells nobody. */
  stop(): void {
    this.#stopped = true;
    for (const port of this.#pending.members) port.fail(tlsFailure("TLS_CLOSED", this.#terms.side));
  }
}
