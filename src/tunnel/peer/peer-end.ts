/**
 * The sockets of a link in peer mode, and the target's address that they send to. They move to another one when it
 * refuses or is silent, or when the target's name no longer has it.
 */

import type { Link } from "../../link/link.ts";
import type { DatagramPort, DatagramReceiver } from "../../net/datagram-port.ts";
import {
  anyAddress,
  type Endpoint,
  familyOf,
  isMulticast,
  sameFamily,
  withoutZone,
} from "../../net/endpoint.ts";
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

export interface PeerEndOptions {
  network: Network;
  link: Link;
  counters: Counters;
  events: EventReporter;
  settings: Settings;
  sendWatch: SendWatch;
  /** Where datagrams are sent. */
  target: Target;
  /** Added to the target's port. Only refusals at the first port move to another address: RTCP may have no listener. */
  portOffset: number;
  /** The local addresses, when they are given. */
  own: readonly string[] | undefined;
}

export class PeerEnd {
  readonly #options: PeerEndOptions;
  readonly #receiver: DatagramReceiver;
  /** The target's address in use. */
  #using: string;
  /** The same as an endpoint, with a zone. */
  #to: Endpoint;
  #sockets: PeerSockets[] = [];
  /** The addresses our own datagrams can come from. */
  #ownAddresses: LocalAddressCache;
  readonly #broadcast: boolean;
  /** A group or a broadcast address: its name keeps the meaning that it has at the start. */
  readonly #fixed: boolean;
  readonly #first: FirstDatagrams;
  #leaving = false;
  #stopped = false;

  /**
   * @param broadcast whether the target is a broadcast address.
   * @param receiver notified of datagrams to relay, and of errors.
   * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
   */
  constructor(options: PeerEndOptions, broadcast: boolean, receiver: DatagramReceiver) {
    const { network, target } = options;
    this.#options = options;
    this.#receiver = receiver;
    this.#broadcast = broadcast;
    this.#fixed = broadcast || isMulticast(target.address);
    this.#first = new FirstDatagrams(network.clock);
    this.#using = target.address;
    this.#to = this.#endpointOf(target.address);
    this.#ownAddresses = this.#addressesOf();
    this.#sockets = this.#receives ? this.#openSockets() : [];
    try {
      this.#use();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Where datagrams are sent. */
  get target(): Endpoint {
    return this.#to;
  }

  /** The bound addresses of the UDP sockets: for each local address that of the socket that receives. */
  get local(): readonly Endpoint[] {
    return this.#sockets.map(({ local }) => local);
  }

  /** Whether a datagram from there was sent by one of these sockets. */
  isOurs(port: number, address: string): boolean {
    return port === this.#sockets[0]?.ownPort && this.#ownAddresses.has(address);
  }

  /** A datagram has come from the target. */
  onAnswer(): void {
    this.#first.end();
  }

  /**
   * Opens the sockets anew, because the kernel's settings for a network interface are void. The old ones stay if that
   * fails.
   *
   * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
   */
  reopen(): void {
    this.#exchange(this.#openSockets());
  }

  /** Follows the target in both directions: it has other addresses, or another one is in use. */
  retarget(): void {
    const { target } = this.#options;
    if (this.#fixed || this.#stopped) return;
    if (target.address === this.#using) return;
    try {
      this.#use();
    } catch (error) {
      this.#options.sendWatch.onRefused(networkFailure(error).code, 0);
    }
  }

  /** Follows the target no longer. */
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

  /** Whether sockets are open even when no address can be sent to. */
  get #receives(): boolean {
    return this.#fixed || !this.#options.settings.udpSendOnly;
  }

  /** One for each local address. */
  #openSockets(to = this.#to): PeerSockets[] {
    const { target, own, events } = this.#options;
    const { port } = to;
    if (this.#fixed || !this.#receives) return [this.#openAt(to)];
    const any = target.addresses.map((each) => anyAddress(familyOf(each)));
    // For a target of the other family only the port matters: that socket only receives for now.
    const towards = (local: string) => (sameFamily(local, to.address) ? to : { address: local, port });
    return openAtEach([...new Set(own ?? any)], port, (local) => this.#openAt(towards(local), local), events);
  }

  #openAt(to: Endpoint, local = this.#localFor(to)): PeerSockets {
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
      { onDatagram: (payload) => counters.outbound.refuse(payload, "send only"), onError },
    );
  }

  #localFor({ address }: Endpoint): string {
    return this.#options.target.localAddressFor(address);
  }

  #addressesOf(): LocalAddressCache {
    const { network, target, own } = this.#options;
    // For a group or a broadcast address the system chooses the source address among all of this host's.
    if (this.#fixed) return new LocalAddressCache(() => network.localAddresses(), network.clock);
    const found =
      own ?? target.addresses.map((address) => network.sourceAddressTo(this.#endpointOf(address)));
    const known = found.filter((address) => address !== undefined).map(withoutZone);
    return new LocalAddressCache(() => known, network.clock);
  }

  /** Sends to the target's address in use or, when that is not possible, to the next possible one. @throws NetError. */
  #use(): void {
    const { target, sendWatch } = this.#options;
    let failure: NetError | undefined;
    for (let left = target.addresses.length; left > 0; left--) {
      failure = this.#trySendTo(target.address);
      if (failure === undefined) return;
      if (!isRefusal(failure.code)) break; // it is not about the address
      if (left > 1) target.refused(target.address, "no socket");
    }
    if (failure === undefined || this.#sockets.length === 0) throw failure;
    sendWatch.onRefused(failure.code, 0);
    this.#sendTo(target.address); // the kernel reports the error at each datagram, until sending works
  }

  /** @returns the failure: no socket for this address can be opened; or there are others, and no route to this one. */
  #trySendTo(address: string): NetError | undefined {
    const { network, target } = this.#options;
    try {
      const to = this.#endpointOf(address);
      const hasOthers = target.addresses.length > 1;
      if (hasOthers && network.sourceAddressTo(to) === undefined)
        return new NetError("ENETUNREACH", `there is no route to ${address}`);
      const isOther = address !== this.#using;
      // Each address has a socket of its own, so that a late refusal is not attributed to the wrong address.
      if (isOther && (!this.#receives || sameFamily(address, this.#using)))
        this.#exchange(this.#openSockets(to), to);
      const has = this.#sockets.some(({ family }) => family === familyOf(to.address));
      if (!has) this.#sockets.push(this.#openAt(to)); // throws the reason when it was left out
      this.#sendTo(address);
      return undefined;
    } catch (error) {
      return networkFailure(error);
    }
  }

  #sendTo(address: string): void {
    this.#using = address;
    this.#to = this.#endpointOf(address);
    this.#ownAddresses = this.#addressesOf();
    this.#send();
  }

  /** Replaces the sockets by these. */
  #exchange(sockets: PeerSockets[], to = this.#to): void {
    const before = this.#sockets;
    this.#to = to;
    this.#options.counters.kernelDrops += this.kernelDrops() ?? 0;
    this.#sockets = sockets;
    this.#send();
    for (const old of before) old.close();
  }

  get #sending(): DatagramPort | undefined {
    return this.#sockets.find(({ family }) => family === familyOf(this.#to.address))?.send;
  }

  #send(): void {
    const { link, target } = this.#options;
    const send = this.#sending;
    if (send === undefined) return link.removeSender(); // the former socket is closed
    const moves = target.mayChange && !this.#fixed;
    const keeps = moves && target.addresses.length > 1;
    link.sendTo((observer) => {
      const report = moves ? reportingRefusals(observer, () => this.#onRefused()) : observer;
      const sender = send.sender(this.#to, report);
      return keeps ? this.#first.through(sender) : sender;
    }, familyOf(this.#to.address));
  }

  #onRefused(): void {
    const { target, network, portOffset } = this.#options;
    if (this.#fixed || portOffset > 0 || !target.mayChange || this.#leaving) return;
    this.#leaving = true;
    // At the end of the turn: a batch may be half sent.
    network.clock.endOfTick(() => this.#leave());
  }

  /** The address has refused. */
  #leave(): void {
    const { target } = this.#options;
    this.#leaving = false;
    if (this.#stopped) return;
    const before = this.#using;
    target.refused(before);
    this.retarget();
    const send = this.#sending;
    if (this.#using === before || send === undefined) return;
    this.#first.sendAgain((report) => send.sender(this.#to, report), target.addresses.length - 1);
  }
}
