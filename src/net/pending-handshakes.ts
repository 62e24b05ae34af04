/**
 * The TLS handshakes under way at a listener. Whoever connects and says nothing takes a place here, so that there are
 * only so many; when all are taken, the oldest of the address that has most of them makes room.
 */

import { systemClock } from "./clock.ts";
import { unmapped } from "./endpoint.ts";
import { type HandshakeTerms, type SecureSocket, SecureStreamPort } from "./secure-stream-port.ts";
import type { Gate, StreamPort } from "./stream-port.ts";
import type { SystemSockets } from "./system-sockets.ts";
import { tlsFailure } from "./tls/tls-failure.ts";
import { Turnstile } from "./turnstile.ts";

const HANDSHAKES_MAX = 256;
const DESCRIPTORS_SHARE = 1 / 4;
/** From the beginning of one handshake to that of the next. */
const INTERVAL_MS = 1;

/** How many handshakes may be under way where this many files and sockets may be open. */
export function handshakesMaxOf(descriptorLimit: number): number {
  return Math.min(HANDSHAKES_MAX, Math.ceil(descriptorLimit * DESCRIPTORS_SHARE));
}

export class PendingHandshakes {
  readonly #max: number;
  readonly #system: SystemSockets | undefined;
  readonly #terms: HandshakeTerms;
  readonly #onStream: (stream: StreamPort) => void;
  readonly #gate: Gate;
  /** By address, oldest first; no address without any. */
  readonly #pending = new Map<string, Set<SecureStreamPort>>();
  readonly #turnstile = new Turnstile(systemClock, INTERVAL_MS);
  #size = 0;
  #stopped = false;

  constructor(
    system: SystemSockets | undefined,
    terms: HandshakeTerms,
    onStream: (stream: StreamPort) => void,
    gate: Gate,
  ) {
    this.#max = handshakesMaxOf(system?.descriptorLimit() ?? Infinity);
    this.#system = system;
    this.#terms = terms;
    this.#onStream = onStream;
    this.#gate = gate;
  }

  /** A connection has come. */
  begin(socket: SecureSocket): void {
    if (this.#size >= this.#max) this.#makeRoom();
    const port: SecureStreamPort = new SecureStreamPort(socket, this.#system, this.#terms, (failure) => {
      this.#forget(port);
      if (failure === undefined) this.#onStream(port);
      else if (!this.#stopped) this.#gate.onFailure(port.remote, failure);
    });
    const { remote } = port; // read now: a socket that is closed has no address any more
    const address = unmapped(remote.address);
    const siblings = this.#pending.get(address);
    if (siblings === undefined) this.#pending.set(address, new Set([port]));
    else siblings.add(port);
    this.#size++;
    this.#turnstile.enter(port);
  }

  /** Breaks off every handshake, and tells nobody. */
  stop(): void {
    this.#stopped = true;
    for (const ports of [...this.#pending.values()]) {
      for (const port of [...ports]) port.fail(tlsFailure("TLS_HUNG_UP", this.#terms.side));
    }
  }

  #makeRoom(): void {
    let most = new Set<SecureStreamPort>();
    for (const ports of this.#pending.values()) if (ports.size > most.size) most = ports;
    const [oldest] = most;
    oldest?.fail(tlsFailure("TLS_CROWDED", this.#terms.side));
  }

  #forget(port: SecureStreamPort): void {
    this.#turnstile.leave(port);
    const address = unmapped(port.remote.address);
    const siblings = this.#pending.get(address);
    if (!siblings?.delete(port)) return;
    this.#size--;
    if (siblings.size === 0) this.#pending.delete(address);
  }
}
