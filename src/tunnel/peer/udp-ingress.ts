/** The UDP side of a link in peer mode: decides which datagrams enter the tunnel, by their source. */

import type { Link } from "../../link/link.ts";
import type { DatagramReceiver } from "../../net/datagram-port.ts";
import { type Endpoint, isMulticast, unmapped } from "../../net/endpoint.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import { AddressFilter } from "../access/address-filter.ts";
import { TargetSockets, type TargetSocketsOptions } from "./target-sockets.ts";

/** This many refusals are reported once, if no datagram was ever received from the target. */
const REPORTED_REFUSALS = 10;

export interface UdpIngressOptions extends TargetSocketsOptions {
  /** Called for each datagram received, for -vv. */
  trace?: ((source: Endpoint, bytes: number) => void) | undefined;
}

export class UdpIngress implements DatagramReceiver {
  readonly sockets: TargetSockets;
  readonly #options: UdpIngressOptions;
  readonly #link: Link;
  readonly #counters: Counters;
  readonly #events: EventReporter;
  readonly #trace: UdpIngressOptions["trace"];
  /** The sources that may send; undefined when every source may. */
  readonly #allowedSources: AddressFilter | undefined;
  /** Refusals at this link's port. In RTP mode the tunnel has two links. */
  #refusals = 0;
  readonly #broadcast: boolean;
  #received = false;
  #stopped = false;

  /** @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist. */
  constructor(options: UdpIngressOptions) {
    const { network, link, target, settings, counters, trace } = options;
    this.#options = options;
    this.#link = link;
    this.#counters = counters;
    this.#events = options.events;
    this.#trace = trace;
    const networks = network.broadcastNetworks(target.address);
    this.#broadcast = networks.length > 0;
    const anySource = settings.anySource || isMulticast(target.address);
    // A broadcast address is never a source. The hosts of its networks are.
    this.#allowedSources = anySource ? undefined : new AddressFilter([...settings.from, ...networks]);
    this.#allowedSources?.allowOnly(target.addresses);
    this.sockets = new TargetSockets(options, this.#broadcast, this);
  }

  /** Follows the target in both directions: it has other addresses, or another one is in use. */
  retarget(): void {
    if (this.#stopped) return;
    this.#allowedSources?.allowOnly(this.#options.target.addresses);
    this.sockets.retarget();
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    if (this.#stopped) return this.#counters.outbound.dropReceived(payload, "closing");
    this.#trace?.({ address, port }, payload.length);
    if (this.sockets.hasSent(port, address)) return this.#dropLoop(payload, port, address);
    if (this.#allowedSources?.allows(address) === false) return this.#dropWrongSource(payload, port, address);
    this.#received = true;
    this.sockets.onAnswer();
    this.#link.onDatagram(payload);
  }

  onError(code: string): void {
    if (!this.#counters.countSocketError(code)) return this.#options.sendWatch.onRefused(code, 0);
    this.#refusals++;
    if (this.#refusals === REPORTED_REFUSALS && !this.#received) {
      this.#events.report({ type: "target refused", target: this.sockets.target, refusals: this.#refusals });
    }
  }

  /** Drops datagrams from now on, as `closing`. */
  stop(): void {
    this.#stopped = true;
    this.sockets.stop();
  }

  #dropLoop(payload: Uint8Array, port: number, address: string): void {
    // The kernel delivers a broadcast to its sender, too.
    const expected = this.#options.settings.loop || this.#broadcast;
    if (!expected && !this.#events.suppressRepeat("loop detected"))
      this.#events.report({ type: "loop detected", source: { address, port } });
    this.#counters.outbound.dropReceived(payload, "loop");
  }

  #dropWrongSource(payload: Uint8Array, port: number, address: string): void {
    this.#counters.outbound.dropReceived(payload, "wrong source");
    if (this.#events.suppressRepeat("wrong source")) return;
    const { target, from } = this.#options.settings;
    const source = { address: unmapped(address), port };
    this.#events.report({ type: "wrong source", source, expected: [target.host, ...from] });
  }
}
