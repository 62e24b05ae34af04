/**
 * The UDP side of a link in peer mode: the sockets by which datagrams come and go, and which of them may enter.
 *
 *   unicast     one socket, bound to the target's port, receives and sends, as media programs expect
 *   multicast   one socket bound to the group receives; a second one on a passing port sends, so that what comes
 *               back of our own can be told apart
 *   one-way     only the socket that is needed
 */

import type { DatagramPort, DatagramReceiver } from "../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../net/endpoint.ts";
import { isMulticast } from "../net/multicast.ts";
import { NetError, type Network } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import { sum } from "../observe/stats.ts";
import type { Settings } from "../options/settings.ts";
import { AddressFilter } from "./address-filter.ts";
import type { Link } from "./link.ts";

/** This many refusals without a single datagram from there make a target suspicious. */
const SUSPICIOUS_REFUSALS = 10;
/** The original's default. */
const MULTICAST_TTL = 1;

export interface PeerDatagramsOptions {
  network: Network;
  link: Link;
  counters: Counters;
  events: EventSource;
  settings: Settings;
  /** Where datagrams are sent. */
  target: Endpoint;
  /** Every address the target's name has. */
  sources: readonly string[];
  /** Called with each datagram that arrives, for -vv. */
  trace?: ((source: Endpoint, bytes: number) => void) | undefined;
}

export class PeerDatagrams implements DatagramReceiver {
  readonly #link: Link;
  readonly #counters: Counters;
  readonly #events: EventSource;
  readonly #trace: PeerDatagramsOptions["trace"];
  readonly #target: Endpoint;
  readonly #settings: Settings;
  /** Who may send; undefined when everyone may. */
  readonly #sources: AddressFilter | undefined;
  readonly #sourceNames: string[];
  readonly #receivePort: DatagramPort | undefined;
  readonly #sendPort: DatagramPort | undefined;
  readonly #network: Network;
  readonly #multicast: boolean;
  /** What our own datagrams have as their source, as far as it is known. */
  #ownAddress: string | undefined;
  #ownPort = 0;
  #stopped = false;

  /** @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist. */
  constructor(options: PeerDatagramsOptions) {
    const { link, target, settings } = options;
    this.#link = link;
    this.#counters = options.counters;
    this.#events = options.events;
    this.#trace = options.trace;
    this.#target = target;
    this.#settings = settings;
    this.#network = options.network;
    this.#multicast = isMulticast(target.address);
    this.#sources = settings.anySource || this.#multicast ? undefined : new AddressFilter(settings.from);
    this.#sourceNames = [settings.target.host, ...settings.from];
    this.allowSources(options.sources);
    try {
      [this.#receivePort, this.#sendPort] = this.#multicast
        ? this.#openMulticast(options.network)
        : this.#openUnicast(options.network);
    } catch (error) {
      this.close();
      throw error;
    }
    if (this.#sendPort !== undefined)
      link.sendTo(this.#sendPort.sender(target, link), familyOf(target.address));
  }

  /** Where the UDP sockets are really bound: the one that receives first. */
  get local(): Endpoint {
    return (this.#receivePort ?? (this.#sendPort as DatagramPort)).local;
  }

  /** Sets which addresses the target has now: they may send. */
  allowSources(addresses: readonly string[]): void {
    this.#sources?.allowOnly(addresses);
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    if (this.#stopped) return this.#counters.outbound.refuse(payload, "closing");
    this.#trace?.({ address, port }, payload.length);
    if (port === this.#ownPort && this.#isOurs(address)) return this.#refuseEcho(payload, port, address);
    if (this.#sources !== undefined && !this.#sources.allows(address))
      return this.#refuseSource(payload, port, address);
    this.#link.onDatagram(payload);
  }

  onError(code: string): void {
    if (code !== "ECONNREFUSED") {
      this.#counters.socketErrors++;
      return;
    }
    this.#counters.refusals++;
    if (this.#counters.refusals === SUSPICIOUS_REFUSALS && this.#counters.outbound.received === 0) {
      this.#events.report({
        type: "target refuses",
        target: this.#target,
        refusals: this.#counters.refusals,
      });
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

  get #ports(): Set<DatagramPort> {
    return new Set([this.#receivePort, this.#sendPort].filter((port) => port !== undefined));
  }

  #openUnicast(network: Network): [DatagramPort | undefined, DatagramPort | undefined] {
    const { bind, udpSendOnly, udpReceiveOnly } = this.#settings;
    const target = this.#target;
    const any = familyOf(target.address) === 6 ? "::" : "0.0.0.0";
    if (udpSendOnly) {
      // Connected, so that nobody but the target can reach the socket; what it sends is counted and not relayed.
      const options = { bind: { address: bind ?? any, port: 0 }, connect: target, oneTarget: true };
      return [undefined, network.openDatagramPort(options, this.#sendOnlyReceiver())];
    }
    this.#ownAddress = bind ?? network.sourceAddressTo(target);
    this.#ownPort = target.port;
    const options = { bind: { address: bind ?? any, port: target.port }, shared: true, oneTarget: true };
    const port = network.openDatagramPort(options, this);
    return [port, udpReceiveOnly ? undefined : port];
  }

  #openMulticast(network: Network): [DatagramPort | undefined, DatagramPort | undefined] {
    const { udpSendOnly, udpReceiveOnly, loop, source: sources, bind } = this.#settings;
    const group = this.#target;
    const on = this.#interface(network);
    const family = familyOf(group.address);
    let receivePort: DatagramPort | undefined;
    if (!udpSendOnly) {
      const options = { bind: group, shared: true, join: { interface: on, sources } };
      receivePort = network.openDatagramPort(options, this);
    }
    if (udpReceiveOnly) return [receivePort, undefined];
    const any = family === 6 ? "::" : "0.0.0.0";
    const ttl = this.#settings.target.ttl ?? MULTICAST_TTL;
    const sendPort = network.openDatagramPort(
      {
        bind: { address: bind ?? any, port: 0 },
        oneTarget: true,
        multicast: { interface: on, ttl, loop },
      },
      this.#sendOnlyReceiver(),
    );
    this.#ownPort = sendPort.local.port;
    return [receivePort, sendPort];
  }

  #interface(network: Network) {
    const wanted = this.#settings.interface ?? zoneOf(this.#target.address);
    if (wanted === undefined) return undefined;
    const found = network.findInterface(wanted);
    if (found === undefined) throw new NetError("ENODEV", `there is no network interface ${wanted}`);
    return found;
  }

  /** For a socket that only sends: what reaches it is counted, errors are heeded. */
  #sendOnlyReceiver(): DatagramReceiver {
    return {
      onDatagram: (payload) => this.#counters.outbound.refuse(payload, "send only"),
      onError: (code) => this.onError(code),
    };
  }

  /** Whether a datagram that came from our own port came from this host. To a group the system chooses the source address. */
  #isOurs(address: string): boolean {
    const plain = withoutZone(address);
    if (plain === this.#ownAddress) return true;
    if (!this.#multicast || this.#network.findInterface(plain) === undefined) return false;
    this.#ownAddress = plain;
    return true;
  }

  #refuseEcho(payload: Uint8Array, port: number, address: string): void {
    if (!this.#settings.loop) this.#events.report({ type: "own echo", source: { address, port } });
    this.#counters.outbound.refuse(payload, "own echo");
  }

  #refuseSource(payload: Uint8Array, port: number, address: string): void {
    this.#events.report({
      type: "wrong source",
      source: { address: unmapped(address), port },
      expected: this.#sourceNames,
    });
    this.#counters.outbound.refuse(payload, "wrong source");
  }
}

function zoneOf(address: string): string | undefined {
  return /%(.+)$/.exec(address)?.[1];
}

function withoutZone(address: string): string {
  return unmapped(address).replace(/%.*$/, "");
}
