/**
 * A network on which only those are met who know the secret: `dial` succeeds and `listen` hands streams out after the
 * proof. The stream handed out is the one underneath, so a proved connection costs what any other does.
 */

import { randomBytes } from "node:crypto";
import type { DatagramPort, DatagramPortOptions, DatagramReceiver } from "../net/datagram-port.ts";
import type { Endpoint, Family } from "../net/endpoint.ts";
import type { Network } from "../net/network.ts";
import type { Dial, StreamListener, StreamPort } from "../net/stream-port.ts";
import type { AuthFailureReason, Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import type { Secret } from "../options/secret.ts";
import { proveOn } from "./dial-auth.ts";
import { CHANNEL_BYTES, CHANNEL_LABEL, ClientHandshake, NONCE_BYTES, ServerHandshake } from "./handshake.ts";
import { PendingAuth } from "./pending-auth.ts";

/** Connections that may wait for their proof at once, of every port together; or this share of the files, if less. */
export const WAITING_MAX = 256;
const WAITING_SHARE = 1 / 4;

export interface Authentication {
  readonly secret: Secret;
  readonly counters: Counters;
  readonly events: EventSource;
}

export class AuthenticatedNetwork implements Network {
  readonly clock: Network["clock"];
  readonly reloadCertificates?: () => void;
  readonly #network: Network;
  readonly #authentication: Authentication;
  readonly #waitingMax: number;
  readonly #waiting: PendingAuth;

  constructor(network: Network, authentication: Authentication) {
    this.clock = network.clock;
    if (network.reloadCertificates) this.reloadCertificates = () => network.reloadCertificates?.();
    this.#network = network;
    this.#authentication = authentication;
    this.#waitingMax = Math.min(WAITING_MAX, Math.ceil(network.descriptorLimit() * WAITING_SHARE));
    this.#waiting = new PendingAuth({
      clock: network.clock,
      max: this.#waitingMax,
      newHandshake: (stream) => new ServerHandshake(...this.#handshakeArguments(stream)),
      onUnproved: (remote, reason) => this.#onUnproved(remote, reason),
    });
  }

  random(): number {
    return this.#network.random();
  }

  resolve(host: string, family: Family | undefined): Promise<string[]> {
    return this.#network.resolve(host, family);
  }

  openDatagramPort(options: DatagramPortOptions, receiver: DatagramReceiver): DatagramPort {
    return this.#network.openDatagramPort(options, receiver);
  }

  broadcastNetworks(address: string): readonly string[] {
    return this.#network.broadcastNetworks(address);
  }

  findInterface(nameOrAddress: string): ReturnType<Network["findInterface"]> {
    return this.#network.findInterface(nameOrAddress);
  }

  localAddresses(): readonly string[] {
    return this.#network.localAddresses();
  }

  sourceAddressTo(target: Endpoint): string | undefined {
    return this.#network.sourceAddressTo(target);
  }

  watchSystem(...told: Parameters<Network["watchSystem"]>): void {
    this.#network.watchSystem(...told);
  }

  /** What is left for connections that have proved themselves. */
  descriptorLimit(): number {
    return this.#network.descriptorLimit() - this.#waitingMax;
  }

  /** Dials one address. Rejects with a `NetError` EAUTH when the server does not prove that it knows the secret. */
  dial(to: Parameters<Network["dial"]>[0]): Dial {
    const newHandshake = (stream: StreamPort) => new ClientHandshake(...this.#handshakeArguments(stream));
    return proveOn(this.#network.dial(to), to, this.clock, newHandshake);
  }

  listen(...[at, onStream, ...others]: Parameters<Network["listen"]>): StreamListener {
    const waiting = this.#waiting.forListener(onStream);
    const listener = this.#network.listen(at, waiting.enter, ...others);
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

  #onUnproved(remote: Endpoint, reason: AuthFailureReason): void {
    const { counters, events } = this.#authentication;
    counters.authFailures[reason]++;
    counters.rejectedConnections++;
    if (reason === "invalid proof") events.report({ type: "wrong secret", remote });
    events.report({ type: "connection rejected", remote, reason });
  }
}
