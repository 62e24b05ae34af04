/**
 * Address literals and endpoints. ipaddr.js decides what kind of address a literal is, since one address can
 * be written in many ways.
 */

import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** Where a socket is: an address literal (IPv4, or IPv6 with an optional %zone) and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The version of the Internet Protocol. */
export type Family = 4 | 6;

// `familyOf` and `unmapped` run for each connection and some of them for each datagram. They take 5 to 60 ns;
// parsing the literal with ipaddr.js takes 500 to 3,000 ns (measured on Bun 1.4.5).

/** The protocol version of an address literal. A v4-mapped address is IPv6. */
export function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The plain IPv4 form of a v4-mapped IPv6 address (RFC 4291, 2.5.5.2); any other address unchanged. */
export function unmapped(address: string): string {
  return MAPPED.exec(address)?.[1] ?? address;
}

/** Whether two address literals have the same protocol version. A v4-mapped address counts as IPv4. */
export function sameFamily(one: string, other: string): boolean {
  return familyOf(unmapped(one)) === familyOf(unmapped(other));
}

/** The literal that stands for all addresses of this host. */
export function anyAddress(family: Family): string {
  return family === 6 ? "::" : "0.0.0.0";
}

/** Whether a literal, without a zone, stands for all addresses of this host. */
export function isAnyAddress(address: string): boolean {
  return address === anyAddress(familyOf(address));
}

/** An address literal without its zone (RFC 4007, 11). */
export function withoutZone(address: string): string {
  const at = address.indexOf("%");
  return at < 0 ? address : address.slice(0, at);
}

/** An endpoint as people read it: `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
export function formatEndpoint({ address, port }: Endpoint): string {
  const plain = unmapped(address);
  return familyOf(plain) === 6 ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/**
 * Parses an address literal; a v4-mapped one as IPv4. Without its zone: ipaddr.js throws at a zone with a
 * hyphen, such as `br-lan`.
 */
export function parseAddress(literal: string): ipaddr.IPv4 | ipaddr.IPv6 {
  return ipaddr.process(withoutZone(literal));
}

/**
 * Whether a host is a multicast group: 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291, 2.7). False for a name.
 */
export function isMulticast(host: string): boolean {
  return isLiteral(host) && parseAddress(host).range() === "multicast";
}

/** Whether only this host can reach an address: 127.0.0.0/8 (RFC 1122, 3.2.1.3) or ::1. False for a name. */
export function isLoopback(host: string): boolean {
  return isLiteral(host) && parseAddress(host).range() === "loopback";
}

/**
 * Whether a host is a link-local IPv6 address: fe80::/10 (RFC 4291, 2.5.6). It is valid on one interface
 * only. False for a name.
 */
export function isLinkLocal6(host: string): boolean {
  if (!isLiteral(host)) return false;
  const address = parseAddress(host);
  return address.kind() === "ipv6" && address.range() === "linkLocal";
}

function isLiteral(host: string): boolean {
  return isIP(withoutZone(host)) !== 0;
}
