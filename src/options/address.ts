/**
 * Parses addresses. The parser tries these forms in order:
 *
 * 1. an IPv6 literal alone;
 * 2. `[v6]:port` or `[v6]/port`;
 * 3. `v6/port`;
 * 4. parts separated by `/`, `:` or a space, as in the original UDPTunnel 1.1.
 *
 * An IPv6 literal may carry a zone (`fe80::1%eth0`, RFC 4007), except in a network.
 */

import { isIPv4, isIPv6 } from "node:net";
import { quoted } from "./message-text.ts";
import { type ParseResult, parsed, parseError } from "./parse-result.ts";

/** Which parts of an address an option accepts or requires. */
export interface HostPortForm {
  /** The port may be missing. */
  readonly portOptional?: boolean;
  /** The host may be missing. A number alone is then the port. */
  readonly hostOptional?: boolean;
  /** A time to live may follow the port. */
  readonly ttl?: boolean;
  /**
   * Port 0 is allowed: the system chooses a port. Only the library allows it, because a user of the command
   * line would not learn the port.
   */
  readonly portZero?: boolean;
}

/** An address that is not resolved yet. */
export interface HostPort {
  /** A host name, an IPv4 literal, or an IPv6 literal without brackets. */
  readonly host?: string;
  readonly port?: number;
  /** 0 to 255. */
  readonly ttl?: number;
}

const SEPARATOR = /[/: ]/;

/**
 * Matches every IPv6 literal, and text that is probably a mistyped one. The original's `host:port:ttl` has
 * fewer colons.
 */
const LOOKS_LIKE_IPV6 = /::|\[|(:.*){3}/s;

/**
 * Parses host, port and time to live from one text. A result without a problem has the parts that `form`
 * requires.
 */
export function parseHostPort(text: string, form: HostPortForm): ParseResult<HostPort> {
  const [host, ...rest] = splitHostPort(text);
  const isPortAlone = form.hostOptional === true && rest.length === 0 && /^\d+$/.test(host);
  return parseParts(
    isPortAlone ? { port: host } : { host, port: rest[0], ttl: rest[1], extra: rest[2] },
    text,
    form,
  );
}

/** Splits text into host, port, time to live and surplus parts. The parts are not checked. */
function splitHostPort(text: string): [host: string, ...rest: string[]] {
  const bracketed = /^(\[[^\]]*\])(?:[/: ](.*))?$/s.exec(text);
  const plain = /^([^/ ]+)(?:[/ ](.*))?$/s.exec(text);
  const ipv6 = bracketed ?? (plain !== null && LOOKS_LIKE_IPV6.test(plain[1] ?? "") ? plain : null);
  if (ipv6 !== null) return [ipv6[1] ?? "", ...(ipv6[2]?.split(SEPARATOR) ?? [])];
  const [host = "", ...rest] = text.split(SEPARATOR);
  return [host, ...rest];
}

interface Parts {
  readonly host?: string;
  readonly port?: string | undefined;
  readonly ttl?: string | undefined;
  readonly extra?: string | undefined;
}

function parseParts(parts: Parts, text: string, form: HostPortForm): ParseResult<HostPort> {
  const partError = (problem: string) => parseError(`${quoted(text)}: ${problem}`);
  const surplus = form.ttl === true ? parts.extra : (parts.ttl ?? parts.extra);
  if (surplus !== undefined) {
    return partError(
      `${quoted(surplus)} is one part too many; give address/port${form.ttl ? " or address/port/ttl" : ""}`,
    );
  }
  const result: { host?: string; port?: number; ttl?: number } = {};
  if (parts.host !== undefined && !(parts.host === "" && form.hostOptional === true)) {
    const host = parseHost(parts.host);
    if ("problem" in host) return parts.host === text ? host : partError(host.problem);
    result.host = host.value;
  }
  if (parts.port !== undefined) {
    const port = parseWhole(parts.port, "port", form.portZero === true ? 0 : 1, 65_535);
    if ("problem" in port) return parts.port === text ? port : partError(port.problem);
    result.port = port.value;
  } else if (form.portOptional !== true) {
    return parseError(
      `${quoted(text)} has no port; give one after a slash: ${result.host ?? "address"}/5000`,
    );
  }
  if (parts.ttl !== undefined) {
    const ttl = parseWhole(parts.ttl, "time to live", 0, 255);
    if ("problem" in ttl) return partError(ttl.problem);
    result.ttl = ttl.value;
  }
  return parsed(result);
}

function parseWhole(text: string, what: string, min: number, max: number): ParseResult<number> {
  const value = Number(text);
  const valid = /^\d{1,6}$/.test(text) && value >= min && value <= max;
  return valid
    ? parsed(value)
    : parseError(`${quoted(text)} is not a ${what}; give a number from ${min} to ${max}`);
}

/** Parses a host name, an IPv4 literal or an IPv6 literal. `[v6]` loses its brackets. */
export function parseHost(text: string): ParseResult<string> {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : undefined;
  if (bare !== undefined && isIPv6Literal(bare)) return parsed(bare);
  if (isLiteral(text) || isHostName(text)) return parsed(text);
  return parseError(
    `${quoted(text)} is not an address; give a host name, an IPv4 address or an IPv6 address`,
  );
}

/** Parses an address literal of either family. */
export function parseLiteral(text: string): ParseResult<string> {
  if (isLiteral(text)) return parsed(text);
  return parseError(`${quoted(text)} is not an address; give an IPv4 or IPv6 address, not a name`);
}

/**
 * Parses `ADDR[/PREFIX]`: an address literal without a zone, and the number of leading bits that count
 * (default: all).
 */
export function parseNetwork(text: string): ParseResult<string> {
  const [address = "", prefix, ...rest] = text.split("/");
  if (address.includes("%"))
    return parseError(
      `${quoted(text)} has a zone; give the address without ${quoted(address.slice(address.indexOf("%")))}`,
    );
  if (!isLiteral(address) || rest.length > 0) {
    return parseError(
      `${quoted(text)} is not a network; give an IPv4 or IPv6 address, or one with a prefix: 192.0.2.0/24`,
    );
  }
  if (prefix === undefined) return parsed(text);
  const bits = parseWhole(prefix, "prefix", 0, isIPv4(address) ? 32 : 128);
  return "problem" in bits ? parseError(`${quoted(text)}: ${bits.problem}`) : parsed(text);
}

/** Whether the text is an address literal, which needs no look-up. */
export function isLiteral(text: string): boolean {
  return isIPv4(text) || isIPv6Literal(text);
}

function isIPv6Literal(text: string): boolean {
  const [, address = "", zone] = /^([^%]*)(%[^\s%/[\]\p{C}]+)?$/u.exec(text) ?? [];
  return isIPv6(address) && (zone === undefined || zone.length > 1);
}

/**
 * A host name has letters, digits, hyphens and underscores, in labels of at most 63 characters. The last
 * label is not a number: such a text is a mistyped IPv4 address.
 */
function isHostName(text: string): boolean {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const labels = name.split(".");
  const valid = labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  return valid && name.length <= 253 && !/^(\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "");
}
