/**
 * How addresses are written. In this order: text that is an IPv6 literal is an address alone; `[v6]:port` or `[v6]/port`;
 * `v6/port`; else the parts are split at `/`, `:` or a space, as the original UDPTunnel 1.1 does. An IPv6 literal may carry a
 * zone (`fe80::1%eth0`, RFC 4007) everywhere but in a network.
 */

import { isIPv4, isIPv6 } from "node:net";
import { quoted } from "./message-text.ts";
import { type ParseResult, parsed, parseError } from "./parse-result.ts";

/** Which parts a place for an address has beside host and port. */
export interface HostPortForm {
  /** The port may be missing. */
  readonly portOptional?: boolean;
  /** A port alone is enough; what stands alone is then read as the port. */
  readonly hostOptional?: boolean;
  /** A time to live may follow the port. */
  readonly ttl?: boolean;
  /** Port 0 lets the system choose; nobody could be told of such a port on a command line, so the library alone allows it. */
  readonly portZero?: boolean;
}

/** An address as it was written: a name or a literal, not yet resolved. */
export interface HostPort {
  /** A host name, an IPv4 literal, or an IPv6 literal without brackets. */
  readonly host?: string;
  readonly port?: number;
  /** 0 to 255. */
  readonly ttl?: number;
}

const SEPARATOR = /[/: ]/;

/** True of every IPv6 literal, and of a mistyped one: `host:port:ttl`, the original's, has fewer colons. */
const IPV6_MEANT = /::|\[|(:.*){3}/s;

/** Reads host, port and time to live from one text; the parts that `form` calls for are there when no problem is. */
export function parseHostPort(text: string, form: HostPortForm): ParseResult<HostPort> {
  const [host, ...rest] = splitHostPort(text);
  const lone = form.hostOptional === true && rest.length === 0 && /^\d+$/.test(host);
  return readHostPort(
    lone ? { port: host } : { host, port: rest[0], ttl: rest[1], extra: rest[2] },
    text,
    form,
  );
}

/** Host, port, time to live and what follows, as far as they are there, none of them checked. */
function splitHostPort(text: string): [host: string, ...rest: string[]] {
  const bracketed = /^(\[[^\]]*\])(?:[/: ](.*))?$/s.exec(text);
  const plain = /^([^/ ]+)(?:[/ ](.*))?$/s.exec(text);
  const meant6 = bracketed ?? (plain !== null && IPV6_MEANT.test(plain[1] ?? "") ? plain : null);
  if (meant6 !== null) return [meant6[1] ?? "", ...(meant6[2]?.split(SEPARATOR) ?? [])];
  const [host = "", ...rest] = text.split(SEPARATOR);
  return [host, ...rest];
}

interface Parts {
  readonly host?: string;
  readonly port?: string | undefined;
  readonly ttl?: string | undefined;
  readonly extra?: string | undefined;
}

function readHostPort(parts: Parts, text: string, form: HostPortForm): ParseResult<HostPort> {
  const inside = (problem: string) => parseError(`${quoted(text)}: ${problem}`);
  const surplus = form.ttl === true ? parts.extra : (parts.ttl ?? parts.extra);
  if (surplus !== undefined) {
    return inside(
      `${quoted(surplus)} is one part too many; give address/port${form.ttl ? " or address/port/ttl" : ""}`,
    );
  }
  const result: { host?: string; port?: number; ttl?: number } = {};
  if (parts.host !== undefined && !(parts.host === "" && form.hostOptional === true)) {
    const host = readHost(parts.host);
    if ("problem" in host) return parts.host === text ? host : inside(host.problem);
    result.host = host.value;
  }
  if (parts.port !== undefined) {
    const port = readPart(parts.port, "port", form.portZero === true ? 0 : 1, 65_535);
    if ("problem" in port) return parts.port === text ? port : inside(port.problem);
    result.port = port.value;
  } else if (form.portOptional !== true) {
    return parseError(
      `${quoted(text)} has no port; give one after a slash: ${result.host ?? "address"}/5000`,
    );
  }
  if (parts.ttl !== undefined) {
    const ttl = readPart(parts.ttl, "time to live", 0, 255);
    if ("problem" in ttl) return inside(ttl.problem);
    result.ttl = ttl.value;
  }
  return parsed(result);
}

function readPart(text: string, what: string, min: number, max: number): ParseResult<number> {
  const value = Number(text);
  const valid = /^\d{1,6}$/.test(text) && value >= min && value <= max;
  return valid
    ? parsed(value)
    : parseError(`${quoted(text)} is not a ${what}; give a number from ${min} to ${max}`);
}

/** A host name, an IPv4 literal, or an IPv6 literal; of `[v6]` the brackets are taken off. */
export function readHost(text: string): ParseResult<string> {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : undefined;
  if (bare !== undefined && isIPv6Literal(bare)) return parsed(bare);
  if (isLiteral(text) || isHostName(text)) return parsed(text);
  return parseError(
    `${quoted(text)} is not an address; give a host name, an IPv4 address or an IPv6 address`,
  );
}

/** An address literal of either family. */
export function readAddress(text: string): ParseResult<string> {
  if (isLiteral(text)) return parsed(text);
  return parseError(`${quoted(text)} is not an address; give an IPv4 or IPv6 address, not a name`);
}

/** `ADDR[/PREFIX]`: an address literal without a zone, and how many of its leading bits count (all, when missing). */
export function readNetwork(text: string): ParseResult<string> {
  const [address = "", prefix, ...rest] = text.split("/");
  if (address.includes("%"))
    return parseError(
      `${quoted(text)} names a zone; give the address without ${quoted(address.slice(address.indexOf("%")))}`,
    );
  if (!isLiteral(address) || rest.length > 0) {
    return parseError(
      `${quoted(text)} is not a network; give an IPv4 or IPv6 address, or one with a prefix: 192.0.2.0/24`,
    );
  }
  if (prefix === undefined) return parsed(text);
  const bits = readPart(prefix, "prefix", 0, isIPv4(address) ? 32 : 128);
  return "problem" in bits ? parseError(`${quoted(text)}: ${bits.problem}`) : parsed(text);
}

/** Whether the text is an address and needs no look-up. */
export function isLiteral(text: string): boolean {
  return isIPv4(text) || isIPv6Literal(text);
}

function isIPv6Literal(text: string): boolean {
  const [, address = "", zone] = /^([^%]*)(%[^\s%/[\]\p{C}]+)?$/u.exec(text) ?? [];
  return isIPv6(address) && (zone === undefined || zone.length > 1);
}

/** Letters, digits, hyphens and underscores in labels of at most 63, the last not a number: that would be a mistyped IPv4 address. */
function isHostName(text: string): boolean {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const labels = name.split(".");
  const valid = labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  return valid && name.length <= 253 && !/^(\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "");
}
