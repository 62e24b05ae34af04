/**
 * The UDP sockets of a link in peer mode. They send to the target's address in use. When another address
 * comes into use, it gets new sockets, so that a late refusal is not attributed to the wrong address.
 */

import type { Link } from "../../link/link.ts";
import { AddressSet } from "../../net/address-set.ts";
import type { DatagramPort, DatagramReceiver } from "../../net/datagram-port.ts";
import { anyAddress, type Endpoint, familyOf, isMulticast, sameFamily } from "../../net/endpoint.ts";
import { NetError, type Network, networkFailure } from "../../net/network.ts";
import { LocalAddressCache } from "../../net/udp/host-addresses.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import { sum } from "../../observe/stats.ts";
import type { Settings } from "../../options/settings.ts";
import { openAtEach } from "../local-bind.ts";
import { FirstDatagrams } from "../target/first-datagrams.ts";
import type { SendWatch } from "../target/send-watch.ts";
import { isRefusal, reportingRefusals, type Target } from "../target/target.ts";
import { openPeerSockets, type PeerSockets } from "./peer-sockets.ts";

export interface TargetSocketsOptions {
  network: Network;
  link: Link;
  counters: Counters;
  events: EventReporter;
  settings: Settings;
  sendWatch: SendWatch;
  target: Target;
  /**
   * Added to the target's port: 1 for RTCP. Refusals at a port with an offset do not change the address,
   * because RTCP may have no listener.
   */
  portOffset: number;
  /** The addresses of the option `bind`; undefined when the system chooses. */
  bindAddresses: readonly string[] | undefined;
}

export class TargetSockets {
  readonly #options: TargetSocketsOptions;
  readonly #receiver: DatagramReceiver;
  /** The target's address in use, and the port. */
  #to: Endpoint;
  /** One for each local address. */
  #sockets: PeerSockets[] = [];
  /** The addresses that datagrams of these sockets can come from. */
  #sourceAddresses: { has(address: string): boolean };
  readonly #broadcast: boolean;
  /** Whether the target is a group or a broadcast address. It is then looked up at start only. */
  readonly #fixed: boolean;
  readonly #firstDatagrams: FirstDatagrams;
  #switchPending = false;
  #stopped = false;

  /**
   * @param broadcast whether the target is a broadcast address.
   * @param receiver gets the datagrams to relay, and the errors.
   * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
   */
  constructor(options: TargetSocketsOptions, broadcast: boolean, receiver: DatagramReceiver) {
    const { network, target } = options;
    this.#options = options;
    this.#receiver = receiver;
    this.#broadcast = broadcast;
    this.#fixed = broadcast || isMulticast(target.address);
    this.#firstDatagrams = new FirstDatagrams(network.clock);
    this.#to = this.#endpointOf(target.address);
    this.#sourceAddresses = this.#findSourceAddresses();
    this.#sockets = this.#receives ? this.#openAll() : [];
    try {
      this.#useTarget();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Where datagrams are sent. */
  get target(): Endpoint {
    return this.#to;
  }

  /** The bound address for each local address: of the socket that receives, if there is one. */
  get local(): readonly Endpoint[] {
    return this.#sockets.map(({ local }) => local);
  }

  /** Whether one of these sockets sent the datagram with this source. */
  hasSent(port: number, address: string): boolean {
    return port === this.#sockets[0]?.ownPort && this.#sourceAddresses.has(address);
  }

  /** A datagram was received from the target. */
  onAnswer(): void {
    this.#firstDatagrams.end();
  }

  /**
   * Replaces the sockets, because the kernel's settings for a network interface are no longer valid. If that
   * fails, the former sockets stay open.
   *
   * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
   */
  reopen(): void {
    this.#replace(this.#openAll());
  }

  /** Sends to the target's address in use, which may have changed. */
  retarget(): void {
    const { target } = this.#options;
    if (this.#fixed || this.#stopped) return;
    if (target.address === this.#to.address) return;
    try {
      this.#useTarget();
    } catch (error) {
      this.#options.sendWatch.onRefused(networkFailure(error).code, 0);
    }
  }

  /** Stops following the target. */
  stop(): void {
    this.#stopped = true;
  }

  /** Datagrams dropped by the kernel at all sockets; undefined when the system does not report them. */
  kernelDrops(): number | undefined {
    return sum(...this.#sockets.flatMap(({ ports }) => ports.map((port) => port.kernelDrops())));
  }

  close(): void {
    this.#options.counters.kernelDrops += this.kernelDrops() ?? 0;
    for (const sockets of this.#sockets) sockets.close();
  }

  #endpointOf(address: string): Endpoint {
    const { target, portOffset } = this.#options;
    return { address, port: target.port + portOffset };
  }

  /** Whether the sockets receive, so that they are useful even while no address can be sent to. */
  get #receives(): boolean {
    return this.#fixed || !this.#options.settings.udpSendOnly;
  }

  /** Opens the sockets for each local address. */
  #openAll(to = this.#to): PeerSockets[] {
    const { target, bindAddresses, events } = this.#options;
    const { port } = to;
    if (this.#fixed || !this.#receives) return [this.#openAt(to)];
    const any = target.addresses.map((each) => anyAddress(familyOf(each)));
    // A socket of the other family cannot send to `to`. It only receives, and needs nothing but the port.
    const towards = (local: string) => (sameFamily(local, to.address) ? to : { address: local, port });
    const locals = new Set(bindAddresses ?? any);
    return openAtEach([...locals], port, (local) => this.#openAt(towards(local), local), events);
  }

  #openAt(to: Endpoint, local = this.#options.target.localAddressFor(to.address)): PeerSockets {
    const { network, settings, counters } = this.#options;
    const family = familyOf(to.address);
    const onError = (code: string) => {
      if (isRefusal(code) && family === familyOf(this.#to.address)) this.#onRefused();
      this.#receiver.onError(code);
    };
    return openPeerSockets(
      network,
      { ...settings, bind: local },
      to,
      this.#broadcast,
      {
        onDatagram: (payload, port, address) => this.#receiver.onDatagram(payload, port, address),
        onError,
      },
      { onDatagram: (payload) => counters.outbound.dropReceived(payload, "send only"), onError },
    );
  }

  #findSourceAddresses(): { has(address: string): boolean } {
    const { network, target, bindAddresses } = this.#options;
    // To a group or a broadcast address the system may send from any address of this host.
    if (this.#fixed) return new LocalAddressCache(() => network.localAddresses(), network.clock);
    const found =
      bindAddresses ?? target.addresses.map((address) => network.sourceAddressTo(this.#endpointOf(address)));
    return new AddressSet(found.filter((address) => address !== undefined));
  }

  /** Sends to the target's address in use or, if that fails, to the next one that works. @throws NetError. */
  #useTarget(): void {
    const { target, sendWatch } = this.#options;
    let failure: NetError | undefined;
    for (let left = target.addresses.length; left > 0; left--) {
      failure = this.#trySendTo(target.address);
      if (failure === undefined) return;
      if (!isRefusal(failure.code)) break; // the error does not concern the address
      if (left > 1) target.refused(target.address, "no socket");
    }
    if (failure === undefined || this.#sockets.length === 0) throw failure;
    sendWatch.onRefused(failure.code, 0);
    this.#sendTo(target.address); // the kernel reports the error for each datagram until sending works
  }

  /**
   * @returns the failure: no socket can be opened; or no route exists, and the target has other addresses.
   */
  #trySendTo(address: string): NetError | undefined {
    const { network, target } = this.#options;
    try {
      const to = this.#endpointOf(address);
      const hasOthers = target.addresses.length > 1;
      if (hasOthers && network.sourceAddressTo(to) === undefined)
        return new NetError("ENETUNREACH", `there is no route to ${address}`);
      const isOther = address !== this.#to.address;
      if (isOther && (!this.#receives || sameFamily(address, this.#to.address)))
        this.#replace(this.#openAll(to), to);
      const has = this.#sockets.some(({ family }) => family === familyOf(to.address));
      if (!has) this.#sockets.push(this.#openAt(to)); // throws the reason when it was left out
      this.#sendTo(address);
      return undefined;
    } catch (error) {
      return networkFailure(error);
    }
  }

  #sendTo(address: string): void {
    this.#to = this.#endpointOf(address);
    this.#sourceAddresses = this.#findSourceAddresses();
    this.#setSender();
  }

  #replace(sockets: PeerSockets[], to = this.#to): void {
    const former = this.#sockets;
    this.#to = to;
    this.#options.counters.kernelDrops += this.kernelDrops() ?? 0;
    this.#sockets = sockets;
    this.#setSender();
    for (const each of former) each.close();
  }

  /** The socket that sends to the address in use, if one can be open. */
  get #sendPort(): DatagramPort | undefined {
    return this.#sockets.find(({ family }) => family === familyOf(this.#to.address))?.send;
  }

  /** Gives the link its sender. */
  #setSender(): void {
    const { link, target } = this.#options;
    const port = this.#sendPort;
    if (port === undefined) return link.removeSender(); // the former socket is closed
    const mayChange = target.mayChange && !this.#fixed;
    const keepsFirst = mayChange && target.addresses.length > 1;
    link.sendTo((observer) => {
      const own = mayChange ? reportingRefusals(observer, () => this.#onRefused()) : observer;
      const sender = port.sender(this.#to, own);
      return keepsFirst ? this.#firstDatagrams.through(sender) : sender;
    }, familyOf(this.#to.address));
  }

  #onRefused(): void {
    const { target, network, portOffset } = this.#options;
    if (this.#fixed || portOffset > 0 || !target.mayChange || this.#switchPending) return;
    this.#switchPending = true;
    // Not before the end of the tick: part of a batch may still be unsent.
    network.clock.endOfTick(() => this.#switchAddress());
  }

  /** Leaves the address that has refused, and sends the first datagrams again to the next one. */
  #switchAddress(): void {
    const { target } = this.#options;
    this.#switchPending = false;
    if (this.#stopped) return;
    const refusing = this.#to.address;
    target.refused(refusing);
    this.retarget();
    const port = this.#sendPort;
    if (this.#to.address === refusing || port === undefined) return;
    const timesMax = target.addresses.length - 1;
    this.#firstDatagrams.sendAgain((observer) => port.sender(this.#to, observer), timesMax);
  }
}
