/**
 * A transport on which both ends of each connection prove that they know the secret. `dial` settles and `listen` hands
 * streams out after that. They hand out the underlying stream, so that an authenticated connection costs nothing extra.
 */

import { randomBytes } from "node:crypto";
import type { Clock } from "../net/clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { Dial, DialTarget, StreamListener, StreamTransport } from "../net/stream-transport.ts";
import type { AuthFailureReason } from "../observe/counters.ts";
import type { Secret } from "../options/secret.ts";
import { authenticateDial } from "./dial-auth.ts";
import { CHANNEL_BYTES, CHANNEL_LABEL, ClientHandshake, NONCE_BYTES, ServerHandshake } from "./handshake.ts";
import { PendingAuth } from "./pending-auth.ts";

/** Connections that may wait for their proof at once, of every port together; or this share of the files, if less. */
const WAITING_MAX = 256;
const WAITING_SHARE = 1 / 4;

export interface Authentication {
  readonly secret: Secret;
  readonly clock: Clock;
  /** An accepted connection was closed because its client did not prove that it knows the secret. */
  readonly onAuthFailed: (remote: Endpoint, reason: AuthFailureReason) => void;
}

export class AuthenticatedTransport implements StreamTransport {
  readonly #transport: StreamTransport;
  readonly #authentication: Authentication;
  readonly #waitingMax: number;
  readonly #waiting: PendingAuth;

  constructor(transport: StreamTransport, authentication: Authentication) {
    this.#transport = transport;
    this.#authentication = authentication;
    this.#waitingMax = Math.min(WAITING_MAX, Math.ceil(transport.descriptorLimit() * WAITING_SHARE));
    this.#waiting = new PendingAuth({
      clock: authentication.clock,
      max: this.#waitingMax,
      newHandshake: (stream) => new ServerHandshake(...this.#handshakeArguments(stream)),
      onAuthFailed: authentication.onAuthFailed,
    });
  }

  /** What is left for connections that have proved themselves. */
  descriptorLimit(): number {
    return this.#transport.descriptorLimit() - this.#waitingMax;
  }

  /** Dials one address. Rejects with a `NetError` EAUTH when the server does not prove that it knows the secret. */
  dial(to: DialTarget): Dial {
    const newHandshake = (stream: StreamPort) => new ClientHandshake(...this.#handshakeArguments(stream));
    return authenticateDial(this.#transport.dial(to), to, this.#authentication.clock, newHandshake);
  }

  listen(...[at, onStream, ...others]: Parameters<StreamTransport["listen"]>): StreamListener {
    const waiting = this.#waiting.forListener(onStream);
    const listener = this.#transport.listen(at, waiting.enter, ...others);
    return {
      local: listener.local,
      close: () => {
        listener.close();
        waiting.close();
      },
    };
  }

  /** A proof is bound to the TLS connection, if there is one. */
  #handshakeArguments(stream: StreamPort): [Secret, Uint8Array, Uint8Array | undefined] {
    const keyingMaterial = stream.exportKeyingMaterial(CHANNEL_LABEL, CHANNEL_BYTES);
    return [this.#authentication.secret, randomBytes(NONCE_BYTES), keyingMaterial];
  }
}
