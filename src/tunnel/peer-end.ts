/**
 * The sockets of a link in peer mode, and which address of the target they send to: another one is used when this one refuses,
 * is silent, or is no address of the target's name any more.
 */

import { isMulticast } from "../net/address-range.ts";
import type { DatagramPort, DatagramReceiver } from "../net/datagram-port.ts";
import { anyAddress, type Endpoint, familyOf, sameFamily, withoutZone } from "../net/endpoint.ts";
import { LocalAddresses } from "../net/local-addresses.ts";
import { NetError, type Network, networkFailure } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import { sum } from "../observe/stats.ts";
import type { Settings } from "../options/settings.ts";
import { FirstDatagrams } from "./first-datagrams.ts";
import type { Link } from "./link.ts";
import { openAtEach } from "./own-addresses.ts";
import { openPeerSockets, type PeerSockets } from "./peer-sockets.ts";
import type { SendWatch } from "./send-watch.ts";
import { isRefusal, reportingRefusals, type Target } from "./target.ts";

export interface PeerEndOptions {
  network: Network;
  link: Link;
  counters: Counters;
  events: EventSource;
  settings: Settings;
  sendWatch: SendWatch;
  /** Where datagrams are sent. */
  target: Target;
  /** What is added to its port. A refusal at the first port alone has another address used: nobody need listen for RTCP. */
  portOffset: number;
  /** Makes one of the target's addresses one that can be sent to, by adding a zone. @throws NetError. */
  reach: (address: string) => string;
  /** The local addresses, when they are given. */
  own: readonly string[] | undefined;
}

export class PeerEnd {
  readonly #options: PeerEndOptions;
  readonly #receiver: DatagramReceiver;
  /** Of the target's addresses, the one that is sent to. */
  #using: string;
  /** The same as an endpoint, with a zone. */
  #to: Endpoint;
  #sockets: PeerSockets[] = [];
  /** The addresses our own datagrams can come from. */
  #ownAddresses: LocalAddresses;
  readonly #broadcast: boolean;
  /** A group or a broadcast address: what its name means later is of no interest. */
  readonly #fixed: boolean;
  readonly #first: FirstDatagrams;
  #leaving = false;
  #stopped = false;

  /**
   * @param broadcast whether the target is a broadcast address.
   * @param receiver notified of what may be relayed, and of errors.
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

  /** Where the UDP sockets are really bound: of each local address the one that receives first. */
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
   * Opens the sockets anew, since what the kernel was told of a network interface holds no more. The old ones stay if that fails.
   *
   * @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist.
   */
  reopen(): void {
    this.#exchange(this.#openSockets());
  }

  /** The target has other addresses, or another one is in use: both directions follow. */
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

  /** Stays as it is. */
  stop(): void {
    this.#stopped = true;
  }

  /** Of all sockets; undefined when the system does not say. */
  kernelDrops(): number | undefined {
    return sum(...this.#sockets.flatMap(({ ports }) => ports.map((port) => port.kernelDrops())));
  }

  close(): void {
    this.#options.counters.kernelDrops += this.kernelDrops() ?? 0;
    for (const sockets of this.#sockets) sockets.close();
  }

  #endpointOf(address: string): Endpoint {
    const { target, portOffset, reach } = this.#options;
    return { address: reach(address), port: target.port + portOffset };
  }

  /** Whether there are sockets whatever can be sent to. */
  get #receives(): boolean {
    return this.#fixed || !this.#options.settings.udpSendOnly;
  }

  /** One for each local address. */
  #openSockets(to = this.#to): PeerSockets[] {
    const { target, own, events } = this.#options;
    const { port } = to;
    if (this.#fixed || !this.#receives) return [this.#openAt(to)];
    const any = target.addresses.map((each) => anyAddress(familyOf(each)));
    // Of a target of the other family only the port matters: that socket only receives, as yet.
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

  #addressesOf(): LocalAddresses {
    const { network, target, own } = this.#options;
    // To a group or a broadcast address the system chooses the source address: any of this host's.
    if (this.#fixed) return new LocalAddresses(() => network.localAddresses(), network.clock);
    const found =
      own ?? target.addresses.map((address) => network.sourceAddressTo(this.#endpointOf(address)));
    const known = found.filter((address) => address !== undefined).map(withoutZone);
    return new LocalAddresses(() => known, network.clock);
  }

  /** Sends to the target's address in use; when that cannot be, to the first after it to which it can. @throws NetError. */
  #use(): void {
    const { target, sendWatch } = this.#options;
    let failure: NetError | undefined;
    for (let left = target.addresses.length; left > 0; left--) {
      failure = this.#trySendTo(target.address);
      if (failure === undefined) return;
      if (left > 1) target.refused(target.address, "unusable");
    }
    if (failure === undefined || this.#sockets.length === 0) throw failure;
    sendWatch.onRefused(failure.code, 0);
    this.#sendTo(target.address); // the kernel says what is wrong at each datagram, until nothing is
  }

  /** @returns why not: there is no socket to be had for this address, or others, and no route to this one. */
  #trySendTo(address: string): NetError | undefined {
    const { network, target } = this.#options;
    try {
      const to = this.#endpointOf(address);
      const hasOthers = target.addresses.length > 1;
      if (hasOthers && network.sourceAddressTo(to) === undefined)
        return new NetError("ENETUNREACH", `there is no route to ${address}`);
      const isOther = address !== this.#using;
      // Each address has a socket of its own, so that a late refusal is not put down to the wrong one.
      if (isOther && (!this.#receives || sameFamily(address, this.#using)))
        this.#exchange(this.#openSockets(to), to);
      const has = this.#sockets.some(({ family }) => family === familyOf(to.address));
      if (!has) this.#sockets.push(this.#openAt(to)); // or throws why there is none, where it was left out
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

  /** Uses these sockets in place of those there were. */
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
    if (send === undefined) return link.sendTo(undefined, undefined); // not to a socket that is closed
    const moves = target.mayChange && !this.#fixed;
    const report = moves ? reportingRefusals(link.sendReport, () => this.#onRefused()) : link.sendReport;
    const sender = send.sender(this.#to, report);
    const keeps = moves && target.addresses.length > 1;
    link.sendTo(keeps ? this.#first.through(sender) : sender, familyOf(this.#to.address));
  }

  #onRefused(): void {
    const { target, network, portOffset } = this.#options;
    if (this.#fixed || portOffset > 0 || !target.mayChange || this.#leaving) return;
    this.#leaving = true;
    // Not in the middle of sending.
    network.clock.endOfTurn(() => this.#leave());
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
