/** A network in memory with a virtual clock, for tests of whole tunnels. It replaces the real network. */

import type {
  DatagramPort,
  DatagramPortOptions,
  DatagramReceiver,
  NetworkInterface,
} from "../../../src/net/datagram-port.ts";
import type { Endpoint, Family } from "../../../src/net/endpoint.ts";
import { familyOf, formatEndpoint, unmapped } from "../../../src/net/endpoint.ts";
import { type HostNetwork, NetError } from "../../../src/net/network.ts";
import type { StreamPort } from "../../../src/net/stream-port.ts";
import {
  type AcceptPolicy,
  ALLOW_ALL,
  type Dial,
  type StreamListener,
} from "../../../src/net/stream-transport.ts";
import { MemoryDatagramPort } from "./datagram-port.ts";
import { FAULTLESS, MemoryStreamPort, type StreamFaults } from "./stream-port.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** The parts that all hosts share: clock, names, sockets, and the faults of the wire. */
export class MemoryWire {
  readonly clock = new VirtualClock();
  readonly names = new Map<string, string[]>();
  /** Every name that was looked up, in order. */
  readonly lookups: string[] = [];
  /** The interface that every host has; undefined while it does not exist. */
  interface: Pick<NetworkInterface, "name" | "id"> | undefined = { name: "mem0", id: "1" };
  /** The names of every host's interfaces that have a link-local address. */
  linkLocalInterfaces: readonly string[] = [];
  /** Broadcast addresses, with the networks they reach. */
  readonly broadcasts = new Map<string, readonly string[]>();
  /** Addresses that no host has. Binding to them fails. */
  readonly missingAddresses = new Set<string>();
  /** The errno name with which opening a UDP socket fails, if it does. */
  socketFault: (options: DatagramPortOptions) => string | undefined = () => undefined;
  /** Addresses to which no host has a route. */
  readonly unroutable = new Set<string>();
  /** Addresses that never answer and never refuse. */
  readonly blackHoles = new Set<string>();
  readonly listeners = new Map<string, (client: Endpoint) => StreamPort>();
  readonly datagramPorts = new Map<string, MemoryDatagramPort>();
  /** Every connection that came up, as [dialling end, accepting end]. */
  readonly streams: [MemoryStreamPort, MemoryStreamPort][] = [];
  /** The endpoint of every dial, in order. */
  readonly dialled: string[] = [];
  /** The faults that new connections start with. */
  streamFaults: StreamFaults = { ...FAULTLESS };
  /** How a dial fails: an errno name, or "hang" for no answer. Undefined if it succeeds. */
  dialFault: (to: Endpoint) => string | undefined = () => undefined;

  /** Sends a datagram from an endpoint that needs no socket. Returns false if no socket is bound to `to`. */
  inject(from: Endpoint, to: Endpoint, payload: Uint8Array): boolean {
    const port = this.datagramPorts.get(formatEndpoint(to));
    port?.receiver.onDatagram(payload, from.port, from.address);
    return port !== undefined;
  }
}

/** One host on the wire. A socket bound to all addresses, or to a group, gets the host's first address. */
export class MemoryNetwork implements HostNetwork {
  readonly clock: VirtualClock;
  readonly #wire: MemoryWire;
  readonly #address: string;
  readonly #others: readonly string[];
  #nextPort = 49_152;

  constructor(wire: MemoryWire, address: string, ...others: string[]) {
    this.#wire = wire;
    this.#address = address;
    this.#others = others;
    this.clock = wire.clock;
  }

  random(): number {
    return 0.5;
  }

  async resolve(host: string, family: Family | undefined): Promise<string[]> {
    if (/^[\d.]+$|:/.test(host)) return [host];
    this.#wire.lookups.push(host);
    const all = this.#wire.names.get(host) ?? [];
    const addresses = all.filter((address) => family === undefined || familyOf(address) === family);
    if (addresses.length === 0) throw new NetError("ENOTFOUND", `cannot resolve ${host}: ENOTFOUND`);
    return addresses;
  }

  openDatagramPort(options: DatagramPortOptions, receiver: DatagramReceiver): DatagramPort {
    const { bind } = options;
    const address = this.#localAddress(bind.address);
    const local = { address, port: bind.port || this.#nextPort++ };
    const key = formatEndpoint(local);
    this.#refuseMissing(bind.address, `bind UDP ${formatEndpoint(bind)}`);
    const fault = this.#wire.socketFault(options);
    if (fault !== undefined) throw new NetError(fault, `cannot bind UDP ${formatEndpoint(bind)}: ${fault}`);
    const ports = this.#wire.datagramPorts;
    if (ports.has(key) && !options.shared)
      throw new NetError("EADDRINUSE", `cannot bind UDP ${key}: EADDRINUSE`);
    let isOpen = true;
    const deliver = (from: Endpoint, to: Endpoint, payload: Uint8Array) => {
      this.clock.endOfTick(() => {
        if (this.#wire.blackHoles.has(to.address)) return;
        const refused = !this.#wire.inject(from, to, payload);
        if (refused && isOpen) receiver.onError("ECONNREFUSED");
      });
    };
    const port: MemoryDatagramPort = new MemoryDatagramPort(local, receiver, deliver, () => {
      isOpen = false;
      if (ports.get(key) === port) ports.delete(key); // a later socket may share the port
    });
    ports.set(key, port);
    return port;
  }

  broadcastNetworks(address: string): readonly string[] {
    return this.#wire.broadcasts.get(address) ?? [];
  }

  findInterface(nameOrAddress: string): NetworkInterface | undefined {
    const found = this.#wire.interface;
    const wanted = nameOrAddress === found?.name || nameOrAddress === this.#address;
    return found && wanted ? { ...found, address4: this.#address } : undefined;
  }

  linkLocalInterfaces(): readonly string[] {
    return this.#wire.linkLocalInterfaces;
  }

  localAddresses(): string[] {
    return [this.#address, ...this.#others];
  }

  sourceAddressTo(target: Endpoint): string | undefined {
    return this.#wire.unroutable.has(target.address) ? undefined : this.#address;
  }

  watchSystem(): void {}

  descriptorLimit(): number {
    return Infinity;
  }

  dial(to: Endpoint): Dial {
    this.#wire.dialled.push(formatEndpoint(to));
    const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
    let cancelled = false;
    this.clock.endOfTick(() => {
      if (cancelled) return;
      const accept = this.#wire.listeners.get(formatEndpoint(to));
      const fault = this.#wire.dialFault(to) ?? (accept === undefined ? "ECONNREFUSED" : undefined);
      if (fault === "hang") return;
      if (fault !== undefined || accept === undefined) {
        reject(new NetError(fault ?? "", `cannot connect to ${formatEndpoint(to)}: ${fault}`));
      } else {
        resolve(accept({ address: this.#address, port: this.#nextPort++ }));
      }
    });
    return {
      stream: promise,
      cancel: () => {
        cancelled = true;
      },
    };
  }

  listen(
    at: { address?: string; port: number },
    onStream: (stream: StreamPort) => void,
    acceptPolicy: AcceptPolicy = ALLOW_ALL,
  ): StreamListener {
    const local = { address: at.address ?? this.#address, port: at.port || this.#nextPort++ };
    const key = formatEndpoint(local);
    this.#refuseMissing(local.address, `listen on TCP ${key}`);
    if (this.#wire.listeners.has(key))
      throw new NetError("EADDRINUSE", `cannot listen on TCP ${key}: EADDRINUSE`);
    this.#wire.listeners.set(key, (client) => {
      const faults = { ...this.#wire.streamFaults };
      const pair = MemoryStreamPort.pair(client, local, faults, (run) => this.clock.endOfTick(run));
      this.#wire.streams.push(pair);
      if (acceptPolicy.allows(unmapped(client.address))) onStream(pair[1]);
      else {
        pair[1].receive({ onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} });
        pair[1].terminate();
        acceptPolicy.onRejected(client, "address not allowed");
      }
      return pair[0];
    });
    return { local, close: () => void this.#wire.listeners.delete(key) };
  }

  #localAddress(bind: string): string {
    if (bind === "::") return this.#others.find((address) => familyOf(address) === 6) ?? this.#address;
    return this.#others.includes(bind) ? bind : this.#address;
  }

  #refuseMissing(address: string, what: string): void {
    if (!this.#wire.missingAddresses.has(address)) return;
    throw new NetError("EADDRNOTAVAIL", `cannot ${what}: EADDRNOTAVAIL`);
  }
}
