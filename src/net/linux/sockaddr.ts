/** Endpoints in the kernel's format: sockaddr_in (ip(7)) or sockaddr_in6 (ipv6(7)). */

import ipaddr from "ipaddr.js";
import { type Endpoint, type Family, familyOf, unmapped } from "../endpoint.ts";
import { AF_INET, AF_INET6 } from "./constants.ts";
import { type Libc, type Memory, memory } from "./libc.ts";

const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;

/**
 * Encodes an endpoint.
 *
 * @param family the family of the socket. For an IPv6 socket an IPv4 endpoint becomes its v4-mapped address.
 * @returns new memory of 16 or 28 bytes, or an errno name: EINVAL when the address is not a literal, ENODEV
 * when the zone is not an interface, EAFNOSUPPORT for an IPv6 endpoint on an IPv4 socket.
 */
export function encodeSockaddr(libc: Libc, { address, port }: Endpoint, family?: Family): Memory | string {
  const plain = unmapped(address);
  const at = plain.indexOf("%");
  const literal = at < 0 ? plain : plain.slice(0, at);
  const zone = at < 0 ? undefined : plain.slice(at + 1);
  if (familyOf(literal) === 4) {
    if (zone !== undefined || !ipaddr.IPv4.isValidFourPartDecimal(literal)) return "EINVAL";
    const parsed = ipaddr.IPv4.parse(literal);
    if (family === 6) return sockaddrIn6(parsed.toIPv4MappedAddress().toByteArray(), port, 0);
    return sockaddrIn(parsed.toByteArray(), port);
  }
  if (!ipaddr.IPv6.isValid(literal)) return "EINVAL";
  if (family === 4) return "EAFNOSUPPORT";
  const scope = zone === undefined ? 0 : interfaceIndex(libc, zone);
  if (scope === undefined) return "ENODEV";
  return sockaddrIn6(ipaddr.IPv6.parse(literal).toByteArray(), port, scope);
}

/**
 * The literal of an address, as inet_ntop(3) writes it.
 *
 * @param words the one (IPv4) or four (IPv6) 32-bit words of the address, as they are in memory.
 */
export function addressText(words: number[]): string {
  const bytes = [...new Uint8Array(new Uint32Array(words).buffer)];
  const [a, b, c = 0, d = 0] = words;
  const mapped = a === 0 && b === 0 && c === 0xffff0000;
  if (words.length === 1) return bytes.join(".");
  return mapped ? `::ffff:${addressText([d])}` : ipaddr.fromByteArray(bytes).toString();
}

function sockaddrIn(address: number[], port: number): Memory {
  const bytes = memory(SOCKADDR_IN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(address, 4);
  return bytes;
}

function sockaddrIn6(address: number[], port: number, scope: number): Memory {
  const bytes = memory(SOCKADDR_IN6_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(address, 8);
  view.setUint32(24, scope, true);
  return bytes;
}

/** The index of the interface in a zone, which is a name or a number (RFC 4007, 11.2). */
export function interfaceIndex(libc: Libc, zone: string): number | undefined {
  if (/^\d{1,9}$/.test(zone)) return Number(zone);
  const text = new TextEncoder().encode(zone);
  const name = memory(text.length + 1);
  name.set(text);
  return libc.if_nametoindex(name) || undefined;
}
