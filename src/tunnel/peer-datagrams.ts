/** The UDP side of a link in peer mode: which datagrams may enter the tunnel, and the sockets they come and go by. */

import type { DatagramPort, DatagramReceiver } from "../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../net/endpoint.ts";
import type { Network } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import type { Link } from "./link.ts";

export interface PeerDatagramsOptions {
  network: Network;
  link: Link;
  counters: Counters;
  events: EventSource;
  /** Where datagrams are sent. */
  target: Endpoint;
  /** The local address to bind; any address of the target's family when undefined. */
  bind: string | undefined;
  /** Called with each datagram that arrives, for -vv. */
  trace?: ((source: Endpoint, bytes: number) => void) | undefined;
}

export class PeerDatagrams implements DatagramReceiver {
  readonly #link: Link;
  readonly #counters: Counters;
  readonly #events: EventSource;
  readonly #trace: PeerDatagramsOptions["trace"];
  readonly #port: DatagramPort;
  /** What our own datagrams have as their source, seen from the target. */
  readonly #ownAddress: string | undefined;
  #stopped = false;

  /** @throws NetError when the address cannot be bound. */
  constructor(options: PeerDatagramsOptions) {
    const { network, target } = options;
    this.#link = options.link;
    this.#counters = options.counters;
    this.#events = options.events;
    this.#trace = options.trace;
    const family = familyOf(target.address);
    const any = family === 6 ? "::" : "0.0.0.0";
    this.#ownAddress = options.bind ?? network.sourceAddressTo(target);
    const bind = { address: options.bind ?? any, port: target.port };
    this.#port = network.openDatagramPort({ bind, shared: true, oneTarget: true }, this);
    this.#link.sendTo(this.#port.sender(target, this.#link), family);
  }

  /** Where the UDP socket is really bound. */
  get local(): Endpoint {
    return this.#port.local;
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    if (this.#stopped) return this.#link.refuse(payload, "closing");
    this.#trace?.({ address, port }, payload.length);
    if (port === this.#port.local.port && unmapped(address) === this.#ownAddress) {
      this.#events.report({ type: "own echo", source: { address, port } });
      return this.#link.refuse(payload, "own echo");
    }
    this.#link.onDatagram(payload);
  }

  onError(code: string): void {
    if (code === "ECONNREFUSED") this.#counters.refusals++;
    else this.#counters.socketErrors++;
  }

  /** Relays nothing more; what arrives is counted as lost. */
  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#port.close();
  }
}
