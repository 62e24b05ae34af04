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

export class Redactor {
  readonly #names = new Set<string>();
  /** Matches the names; undefined while there are none. */
  #pattern: RegExp | undefined;

  /** Hides these host names in every later text. A text itself does not show which of its words are names. */
  hideNames(names: Iterable<string>): void {
    for (const name of names) if (name !== "") this.#names.add(name);
    // A name may begin with another one: the longest that matches is hidden.
    const longestFirst = [...this.#names].sort((a, b) => b.length - a.length);
    const alternatives = longestFirst.map((name) => name.replace(/\W/g, "\\$&")).join("|");
    this.#pattern =
      alternatives === "" ? undefined : new RegExp(`(?<![\\w-])(?:${alternatives})(?![\\w-])`, "gi");
  }

  /** Hides addresses and names in a text. */
  text(text: string): string {
    return hideAddresses(this.#pattern === undefined ? text : text.replace(this.#pattern, HIDDEN));
  }

  /**
   * Copies plain data and hides hosts in the copy: the values of host keys, names and addresses in a
   * `message`, and addresses in every other text.
   */
  data<T>(value: T): T {
    return this.#copy(value, "") as T;
  }

  #copy(value: unknown, key: string): unknown {
    if (typeof value === "string") return this.#hide(value, key);
    if (Array.isArray(value)) return value.map((part) => this.#copy(part, key));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.#copy(part, name)]));
  }

  #hide(text: string, key: string): string {
    if (key === "message") return this.text(text);
    return HOST_KEYS.has(key) ? HIDDEN + text.replace(/^[^/]*/, "") : hideAddresses(text);
  }
}

function hideAddresses(text: string): string {
  return text.replace(CANDIDATES, (found) => (isIP(withoutZone(found)) === 0 ? found : HIDDEN));
}
