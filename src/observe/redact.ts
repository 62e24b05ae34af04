/** Hides addresses in what is shown: the one place for it. Ports stay, so that flows can still be told apart. */

import { isIP } from "node:net";
import { withoutZone } from "../net/endpoint.ts";

const HIDDEN = "hidden";

/** Where an address or the name of a host stands, perhaps with a port or a prefix. */
const HOST_KEYS = new Set(["address", "to", "server", "name", "expected", "kept"]);

const CANDIDATES = /(?:[0-9a-f]*:){2,}[0-9a-f.]*(?:%[\w.-]+)?|\d+(?:\.\d+){3}/gi;

/** The same text without its IPv4 and IPv6 literals. */
export function redactText(text: string): string {
  return text.replace(CANDIDATES, (found) => (isIP(withoutZone(found)) === 0 ? found : HIDDEN));
}

/** A copy of plain data in which hosts are hidden: where they stand alone, in a `message`, and literals everywhere. */
export function redact<T>(value: T): T {
  const hosts: string[] = [];
  return copy(value, "", hosts) as T;
}

/** @param hosts those met so far: a message stands behind the host it is about. */
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
