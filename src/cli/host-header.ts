/**
 * Protects listeners on loopback from web pages. By DNS rebinding a page's own name resolves to 127.0.0.1, and the
 * visitor's browser lets the page read the answer. The Host header still has the page's name.
 */

import { isIP } from "node:net";
import { isLoopback } from "../net/endpoint.ts";

/** The host and, perhaps, a port (RFC 9110, section 7.2). */
const HOST = /^(\[[^\]]*\]|[^:@/\s]*)(?::\d*)?$/;

/**
 * Whether to answer a request. At other addresses than loopback any host is allowed: the names of this host are unknown
 * here. A missing header is allowed: browsers always send one, and probes in HTTP/1.0 do not.
 *
 * @param header the Host header.
 * @param localAddress the address the connection came to.
 * @param given the host of `--metrics`.
 */
export function isAllowedHost(
  header: string | undefined,
  localAddress: string | undefined,
  given: string | undefined,
): boolean {
  if (header === undefined || localAddress === undefined || !isLoopback(localAddress)) return true;
  const host = HOST.exec(header)?.[1]
    ?.toLowerCase()
    .replace(/^\[(.*)\]$/, "$1");
  if (host === undefined) return false;
  return host === "localhost" || host === given?.toLowerCase() || (isIP(host) !== 0 && isLoopback(host));
}
