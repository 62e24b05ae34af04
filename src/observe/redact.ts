/**
 * Hides addresses and host names in everything that is shown. Ports stay, so that flows can be distinguished.
 */

import { isIP } from "node:net";
import { withoutZone } from "../net/endpoint.ts";

const HIDDEN = "hidden";

/** Keys whose value is an address or a host name, possibly with a port or a prefix. */
const HOST_KEYS = new Set(["address", "to", "server", "name", "expected", "kept"]);

/** Text that may be an IPv4 or IPv6 address. */
const CANDIDATES = /(?:[0-9a-f]*:){2,}[0-9a-f.]*(?:%[\w.-]+)?|\d+(?:\.\d+){3}/gi;

/** Replaces the IPv4 and IPv6 addresses in a text. */
export function redactText(text: string): string {
  return text.replace(CANDIDATES, (found) => (isIP(withoutZone(found)) === 0 ? found : HIDDEN));
}

/**
 * Copies plain data and hides hosts in the copy: the values of host keys, the same hosts in a `message`, and
 * addresses in every other text.
 */
export function redact<T>(value: T): T {
  return copy(value, "", []) as T;
}

/** @param hosts collects the hosts found so far. The key `message` comes after the host that it is about. */
function copy(value: unknown, key: string, hosts: string[]): unknown {
  if (typeof value === "string") return hide(value, key, hosts);
  if (Array.isArray(value)) return value.map((part) => copy(part, key, hosts));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copy(part, name, hosts)]));
}

function hide(text: string, key: string, hosts: string[]): string {
  if (key === "message") return redactText(hosts.reduce((rest, host) => rest.replaceAll(host, HIDDEN), text));
  if (!HOST_KEYS.has(key)) return redactText(text);
  const [host = ""] = text.split("/");
  if (host !== "") hosts.push(host);
  return HIDDEN + text.slice(host.length);
}
