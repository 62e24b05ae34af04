/** The TLS handshakes under way at a listener: only so many at once, and one begun after the other. */

import { systemClock } from "../clock.ts";
import { Crowd } from "../pending-limiter.ts";
import type { Endpoint } from "../endpoint.ts";
import type { NetError } from "../network.ts";
import { type HandshakeTerms, type SecureSocket, SecureStreamPort } from "./tls-stream-port.ts";
import type { Doorkeeper, StreamPort } from "../stream-port.ts";
import type { SystemSockets } from "../system-sockets.ts";
import { tlsFailure } from "../tls/tls-failure.ts";
import { Turnstile } from "../pacer.ts";

const HANDSHAKES_MAX = 256;
/**
 * Twice what a per-source client dials at once: with TLS 1.3 it is through, and dials on, before we know (RFC 8446,
 * section 2).
 */
export const HANDSHAKES_PER_ORIGIN_MAX = 128;
const DESCRIPTORS_SHARE = 1 / 4;
/** From the beginning of one to that of the next: each costs some 0.5 ms, and a flood may not take most of the time. */
const INTERVAL_MS = 2;

/** How many handshakes may be under way where this many files and sockets may be open. */
export function handshakesMaxOf(descriptorLimit: number): number {
  return Math.min(HANDSHAKES_MAX, Math.ceil(descriptorLimit * DESCRIPTORS_SHARE));
}

export class PendingHandshakes {
  readonly #system: SystemSockets | undefined;
  readonly #terms: HandshakeTerms;
  readonly #onStream: (stream: StreamPort) => void;
  readonly #doorkeeper: Doorkeeper;
  readonly #pending: Crowd<SecureStreamPort>;
  readonly #turnstile: Turnstile<SecureStreamPort>;
  #stopped = false;

  constructor(
    system: SystemSockets | undefined,
    terms: HandshakeTerms,
    onStream: (stream: StreamPort) => void,
    doorkeeper: Doorkeeper,
  ) {
    const max = handshakesMaxOf(system?.descriptorLimit() ?? Infinity);
    this.#pending = new Crowd({ max, perOrigin: HANDSHAKES_PER_ORIGIN_MAX }, (port) =>
      port.fail(tlsFailure("TLS_CROWDED", terms.side)),
    );
    // Who has waited did so for our sake.
    this.#turnstile = new Turnstile(systemClock, INTERVAL_MS, (port) => this.#pending.renew(port));
    this.#system = system;
    this.#terms = terms;
    this.#onStream = onStream;
    this.#doorkeeper = doorkeeper;
  }

  /** A connection has come. */
  begin(socket: SecureSocket, remote: Endpoint): void {
    const onDone = (failure: NetError | undefined) => {
      this.#pending.leave(port);
      this.#turnstile.leave(port);
      if (failure === undefined) this.#onStream(port);
      else if (!this.#stopped) this.#doorkeeper.onFailure(remote, failure);
    };
    const port = new SecureStreamPort(socket, this.#system, this.#terms, onDone, remote);
    this.#pending.enter(port, remote.address);
    this.#turnstile.enter(port);
    if (this.#stopped) this.stop(); // in answer to what was told of whoever made room
  }

  /** Breaks off every handshake, and tells nobody. */
  stop(): void {
    this.#stopped = true;
    for (const port of this.#pending.members) port.fail(tlsFailure("TLS_HUNG_UP", this.#terms.side));
  }
}
