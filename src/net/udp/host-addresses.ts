/** The network interfaces of this host, and their addresses. */

import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import { AddressSet } from "../address-set.ts";
import type { Clock } from "../clock.ts";
import type { NetworkInterface } from "../datagram-port.ts";
import { isLinkLocal6 } from "../endpoint.ts";
import { errorCode } from "../network.ts";

/** The addresses of each network interface of this host, by the interface's name. */
type HostInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * This host's network interfaces that are up. Empty when this process may not list them (systemd's
 * RestrictAddressFamilies= without AF_NETLINK): few tunnels need them.
 */
export function hostInterfaces(read: () => HostInterfaces = networkInterfaces): HostInterfaces {
  try {
    return read();
  } catch (error) {
    if (errorCode(error) === "ERR_SYSTEM_ERROR") return {};
    throw error;
  }
}

/** The local interface with this name or address; undefined when the host has none. */
export function findInterface(nameOrAddress: string): NetworkInterface | undefined {
  for (const [name, addresses = []] of Object.entries(hostInterfaces())) {
    if (name !== nameOrAddress && !addresses.some(({ address }) => address === nameOrAddress)) continue;
    const id = addresses[0]?.mac ?? "";
    return { name, id, address4: addresses.find(({ family }) => family === "IPv4")?.address };
  }
  return undefined;
}

/** The names of the interfaces that are up, except loopback, and have a link-local IPv6 address. */
export function linkLocalInterfaces(interfaces = hostInterfaces()): string[] {
  return Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses.some(({ address, internal }) => !internal && isLinkLocal6(address)) ? [name] : [],
  );
}

/** Every address of this host's interfaces that are up, without zones. */
export function localAddresses(): string[] {
  return Object.values(hostInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
}

/** The limited broadcast address: it reaches every network that the host is on (RFC 919). */
const LIMITED = "255.255.255.255";
/** A network with a longer prefix has no broadcast address (RFC 3021). */
const PREFIX_MAX = 30;

/**
 * The networks of this host's interfaces that a datagram to this address reaches, as `ADDR/PREFIX`. Empty
 * unless it is an IPv4 broadcast address, to which only a socket with SO_BROADCAST can send (socket(7)).
 */
export function broadcastNetworks(address: string, interfaces = hostInterfaces()): string[] {
  const found: string[] = [];
  for (const { family, cidr } of Object.values(interfaces).flatMap((addresses = []) => addresses)) {
    if (family !== "IPv4" || cidr === null) continue;
    const [, prefix] = ipaddr.IPv4.parseCIDR(cidr);
    if (prefix > PREFIX_MAX) continue;
    if (address === LIMITED || ipaddr.IPv4.broadcastAddressFromCIDR(cidr).toString() === address)
      found.push(cidr);
  }
  return found;
}

/** How long the list of addresses is cached. Reading it costs as much as relaying twenty datagrams. */
export const LOCAL_ADDRESSES_MS = 5000;

/** Decides whether an address belongs to this host, without a system call for each datagram. */
export class LocalAddressCache {
  readonly #read: () => readonly string[];
  readonly #clock: Clock;
  #addresses = new AddressSet([]);
  #readAt = -Infinity;

  /** @param read returns literals. Called at most once in {@link LOCAL_ADDRESSES_MS}. */
  constructor(read: () => readonly string[], clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** @param address a source address as a socket reports it, with or without a zone. */
  has(address: string): boolean {
    const now = this.#clock.now();
    if (now - this.#readAt >= LOCAL_ADDRESSES_MS) {
      this.#readAt = now;
      this.#addresses = new AddressSet(this.#read());
    }
    return this.#addresses.has(address);
  }
}
