/**
 * A transport on which both ends of each connection prove that they know the shared secret. `dial` settles
 * and `listen` passes streams on after that. Both pass on the underlying stream itself, so a datagram costs
 * nothing extra.
 */

import { randomBytes } from "node:crypto";
import type { Clock } from "../net/clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { pendingMax } from "../net/pending-limiter.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type {
  AcceptPolicy,
  Dial,
  DialTarget,
  StreamListener,
  StreamTransport,
} from "../net/stream-transport.ts";
import type { AuthFailureReason } from "../observe/counters.ts";
import type { Secret } from "../options/secret.ts";
import { authenticateDial } from "./dial-auth.ts";
import { CHANNEL_BYTES, CHANNEL_LABEL, ClientHandshake, NONCE_BYTES, ServerHandshake } from "./handshake.ts";
import { PendingAuth } from "./pending-auth.ts";

export interface Authentication {
  readonly secret: Secret;
  readonly clock: Clock;
  /** Called once for each accepted connection whose client is not authenticated. */
  readonly onAuthFailed: (remote: Endpoint, reason: AuthFailureReason) => void;
}

export class AuthenticatedTransport implements StreamTransport {
  readonly #transport: StreamTransport;
  readonly #secret: Secret;
  readonly #clock: Clock;
  /** On all ports together. */
  readonly #pendingMax: number;
  readonly #pending: PendingAuth;

  constructor(transport: StreamTransport, { secret, clock, onAuthFailed }: Authentication) {
    this.#transport = transport;
    this.#secret = secret;
    this.#clock = clock;
    this.#pendingMax = pendingMax(transport.descriptorLimit());
    this.#pending = new PendingAuth({
      clock,
      max: this.#pendingMax,
      newHandshake: (stream) => new ServerHandshake(...this.#handshakeArguments(stream)),
      onAuthFailed,
    });
  }

  /** The descriptors that are left for authenticated connections. */
  descriptorLimit(): number {
    return this.#transport.descriptorLimit() - this.#pendingMax;
  }

  /** The stream rejects with a `NetError` EAUTH when authentication fails. */
  dial(to: DialTarget): Dial {
    const newHandshake = (stream: StreamPort) => new ClientHandshake(...this.#handshakeArguments(stream));
    return authenticateDial(this.#transport.dial(to), to, this.#clock, newHandshake);
  }

  listen(
    at: { address?: string; port: number },
    onStream: (stream: StreamPort) => void,
    acceptPolicy?: AcceptPolicy,
  ): StreamListener {
    const pending = this.#pending.forListener(onStream);
    const listener = this.#transport.listen(at, pending.add, acceptPolicy);
    return {
      local: listener.local,
      close: () => {
        listener.close();
        pending.close();
      },
    };
  }

  /** The proofs are bound to the TLS connection, if there is one. */
  #handshakeArguments(stream: StreamPort): [Secret, Uint8Array, Uint8Array | undefined] {
    const keyingMaterial = stream.exportKeyingMaterial(CHANNEL_LABEL, CHANNEL_BYTES);
    return [this.#secret, randomBytes(NONCE_BYTES), keyingMaterial];
  }
}
