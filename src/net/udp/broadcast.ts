/** Broadcast addresses of IPv4. The kernel sends to them only on a socket with SO_BROADCAST (socket(7)). */

import ipaddr from "ipaddr.js";
import { hostInterfaces } from "./host-interfaces.ts";

/** The broadcast address of every network the host is on (RFC 919). */
const LIMITED = "255.255.255.255";
/** Longer prefixes leave no room for a broadcast address (RFC 3021). */
const PREFIX_MAX = 30;

/**
 * The networks of this host's interfaces that a datagram to this address reaches, as `ADDR/PREFIX`; none unless it is a
 * broadcast address.
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
