/** The UDP side of a link in peer mode: which datagrams may enter the tunnel. */

import { isMulticast } from "../net/address-range.ts";
import type { DatagramPort, DatagramReceiver } from "../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../net/endpoint.ts";
import { LocalAddresses } from "../net/local-addresses.ts";
import type { Network } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import { sum } from "../observe/stats.ts";
import type { Settings } from "../options/settings.ts";
import { AddressFilter } from "./address-filter.ts";
import type { Link } from "./link.ts";
import { openPeerSockets, type PeerSockets } from "./peer-sockets.ts";
import type { SendWatch } from "./send-watch.ts";

/** This many refusals without a single datagram from there make a target suspicious. */
const SUSPICIOUS_REFUSALS = 10;

export interface PeerDatagramsOptions {
  network: Network;
  link: Link;
  counters: Counters;
  events: EventSource;
  settings: Settings;
  sendWatch: SendWatch;
  /** Where datagrams are sent. */
  target: Endpoint;
  /** Every address the target's name has. */
  sources: readonly string[];
  /** Called with each datagram that arrives, for -vv. */
  trace?: ((source: Endpoint, bytes: number) => void) | undefined;
}

export class PeerDatagrams implements DatagramReceiver {
  readonly #options: PeerDatagramsOptions;
  readonly #link: Link;
  readonly #counters: Counters;
  readonly #events: EventSource;
  readonly #trace: PeerDatagramsOptions["trace"];
  /** Who may send; undefined when everyone may. */
  readonly #sources: AddressFilter | undefined;
  #sockets: PeerSockets;
  /** The addresses our own datagrams can come from. */
  #ownAddresses: LocalAddresses;
  /** Refusals of this socket's own target; in RTP mode the tunnel has two. */
  #refusals = 0;
  readonly #broadcast: boolean;
  #heard = false;
  #stopped = false;

  /** @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist. */
  constructor(options: PeerDatagramsOptions) {
    const { network, link, target, settings, counters, trace } = options;
    this.#options = options;
    this.#link = link;
    this.#counters = counters;
    this.#events = options.events;
    this.#trace = trace;
    const everyone = settings.anySource || isMulticast(target.address);
    const networks = network.broadcastNetworks(target.address);
    this.#broadcast = networks.length > 0;
    // A broadcast address never sends: the hosts that it reaches do.
    this.#sources = everyone ? undefined : new AddressFilter([...settings.from, ...networks]);
    this.allowSources(options.sources);
    this.#sockets = this.#openSockets();
    this.#ownAddresses = this.#addressesOf(this.#sockets);
    this.#send();
  }

  /**
   * Opens the sockets anew, since what the kernel was told of a network interface holds no more. The old ones stay if that fails.
   *
   * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
   */
  reopen(): void {
    const sockets = this.#openSockets();
    const before = this.#ports;
    this.#counters.kernelDrops += this.kernelDrops() ?? 0;
    this.#sockets = sockets;
    this.#ownAddresses = this.#addressesOf(sockets);
    this.#send();
    for (const port of before) port.close();
  }

  /** Where datagrams are sent. */
  get target(): Endpoint {
    return this.#options.target;
  }

  /** Where the UDP sockets are really bound: the one that receives first. */
  get local(): Endpoint {
    const { receive, send } = this.#sockets;
    return (receive ?? (send as DatagramPort)).local;
  }

  /** Sets which addresses the target has now: they may send. */
  allowSources(addresses: readonly string[]): void {
    this.#sources?.allowOnly(addresses);
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    if (this.#stopped) return this.#counters.outbound.refuse(payload, "closing");
    this.#trace?.({ address, port }, payload.length);
    if (port === this.#sockets.ownPort && this.#ownAddresses.has(address))
      return this.#refuseEcho(payload, port, address);
    if (this.#sources?.allows(address) === false) return this.#refuseSource(payload, port, address);
    this.#heard = true;
    this.#link.onDatagram(payload);
  }

  onError(code: string): void {
    if (code !== "ECONNREFUSED") {
      this.#counters.socketErrors++;
      this.#options.sendWatch.onRefused(code, 0);
      return;
    }
    this.#counters.refusals++;
    this.#refusals++;
    if (this.#refusals === SUSPICIOUS_REFUSALS && !this.#heard) {
      this.#events.report({ type: "target refuses", target: this.#options.target, refusals: this.#refusals });
    }
  }

  /** Relays nothing more; what arrives is counted as lost. */
  stop(): void {
    this.#stopped = true;
  }

  /** Of both sockets; undefined when the system does not say. */
  kernelDrops(): number | undefined {
    return sum(...[...this.#ports].map((port) => port.kernelDrops()));
  }

  close(): void {
    this.#counters.kernelDrops += this.kernelDrops() ?? 0;
    for (const port of this.#ports) port.close();
  }

  #openSockets(): PeerSockets {
    const { network, settings, target } = this.#options;
    return openPeerSockets(network, settings, target, this.#broadcast, this, {
      onDatagram: (payload) => this.#counters.outbound.refuse(payload, "send only"),
      onError: (code) => this.onError(code),
    });
  }

  #addressesOf({ ownAddress }: PeerSockets): LocalAddresses {
    const { network } = this.#options;
    // To a group or a broadcast address the system chooses the source address: any of this host's.
    const own = ownAddress === undefined ? () => network.localAddresses() : () => [ownAddress];
    return new LocalAddresses(own, network.clock);
  }

  #send(): void {
    const { link, target } = this.#options;
    const { send } = this.#sockets;
    if (send !== undefined) link.sendTo(send.sender(target, link.sendReport), familyOf(target.address));
  }

  get #ports(): Set<DatagramPort> {
    const { receive, send } = this.#sockets;
    return new Set([receive, send].filter((port) => port !== undefined));
  }

  #refuseEcho(payload: Uint8Array, port: number, address: string): void {
    // The kernel hands broadcasts to their sender, too.
    const expected = this.#options.settings.loop || this.#broadcast;
    if (!expected && this.#events.isDue("own echo"))
      this.#events.report({ type: "own echo", source: { address, port } });
    this.#counters.outbound.refuse(payload, "own echo");
  }

  #refuseSource(payload: Uint8Array, port: number, address: string): void {
    this.#counters.outbound.refuse(payload, "wrong source");
    if (!this.#events.isDue("wrong source")) return;
    const { target, from } = this.#options.settings;
    const source = { address: unmapped(address), port };
    this.#events.report({ type: "wrong source", source, expected: [target.host, ...from] });
  }
}
