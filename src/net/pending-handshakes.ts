/** The TLS handshakes under way at a listener: only so many at once, and one begun after the other. */

import { systemClock } from "./clock.ts";
import { Crowd } from "./crowd.ts";
import { type HandshakeTerms, type SecureSocket, SecureStreamPort } from "./secure-stream-port.ts";
import type { Gate, StreamPort } from "./stream-port.ts";
import type { SystemSockets } from "./system-sockets.ts";
import { tlsFailure } from "./tls/tls-failure.ts";
import { Turnstile } from "./turnstile.ts";

const HANDSHAKES_MAX = 256;
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
  readonly #gate: Gate;
  readonly #pending: Crowd<SecureStreamPort>;
  readonly #turnstile = new Turnstile(systemClock, INTERVAL_MS);
  #stopped = false;

  constructor(
    system: SystemSockets | undefined,
    terms: HandshakeTerms,
    onStream: (stream: StreamPort) => void,
    gate: Gate,
  ) {
    const max = handshakesMaxOf(system?.descriptorLimit() ?? Infinity);
    this.#pending = new Crowd(max, (port) => port.fail(tlsFailure("TLS_CROWDED", terms.side)));
    this.#system = system;
    this.#terms = terms;
    this.#onStream = onStream;
    this.#gate = gate;
  }

  /** A connection has come. */
  begin(socket: SecureSocket): void {
    const port: SecureStreamPort = new SecureStreamPort(socket, this.#system, this.#terms, (failure) => {
      this.#pending.leave(port);
      this.#turnstile.leave(port);
      if (failure === undefined) this.#onStream(port);
      else if (!this.#stopped) this.#gate.onFailure(port.remote, failure);
    });
    this.#pending.enter(port, port.remote.address);
    this.#turnstile.enter(port);
  }

  /** Breaks off every handshake, and tells nobody. */
  stop(): void {
    this.#stopped = true;
    for (const port of this.#pending.members) port.fail(tlsFailure("TLS_HUNG_UP", this.#terms.side));
  }
}
