/** What kind of address a literal is. ipaddr.js decides, since one address can be written in many ways. */

import ipaddr from "ipaddr.js";
import { withoutZone } from "./endpoint.ts";

/** The literal, parsed without its zone: ipaddr.js throws at a zone with a hyphen, as in `br-lan`. */
export function parseAddress(literal: string): ipaddr.IPv4 | ipaddr.IPv6 {
  return ipaddr.process(withoutZone(literal));
}

/** Whether a literal is a multicast group: 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291, 2.7). */
export function isMulticast(literal: string): boolean {
  return parseAddress(literal).range() === "multicast";
}

/** Whether a literal is link-local, that is, valid on one interface only. */
export function isLinkLocal(literal: string): boolean {
  return parseAddress(literal).range() === "linkLocal";
}
