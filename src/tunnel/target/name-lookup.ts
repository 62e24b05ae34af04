/** The addresses of the target's name: looked up at start, on request, and every LOOKUP_INTERVAL_MS. */

import { isIP } from "node:net";
import type { Timer } from "../../net/clock.ts";
import { type Family, sameFamily, withoutZone } from "../../net/endpoint.ts";
import { NetError, type Network, networkFailure } from "../../net/network.ts";
import { withZone } from "./target-interface.ts";

/** How often a name is looked up without a request. */
export const LOOKUP_INTERVAL_MS = 60_000;
/** The shortest time between two look-ups. */
export const LOOKUP_PAUSE_MS = 2000;

export interface LookupOptions {
  readonly network: Network;
  /** A name or an address literal. */
  readonly host: string;
  readonly family: Family | undefined;
  /** The local addresses to send from, when given. Target addresses of other families cannot be used then. */
  readonly from?: readonly string[] | undefined;
  /** The name or an address of the interface to link-local addresses, when given. */
  readonly interface?: string | undefined;
}

export function isName(host: string): boolean {
  return !isIP(withoutZone(host));
}

/** The addresses of the target, each once, best first. @throws NetError when none can be used. */
export async function lookUp(options: LookupOptions): Promise<readonly string[]> {
  const { network, host, family, from } = options;
  const found = await network.resolve(host, family);
  const all = [...new Set(found.map((address) => withZone(network, address, options.interface)))];
  const reachable = all.filter((address) => from?.some((local) => sameFamily(local, address)) ?? true);
  if (reachable.length > 0) return reachable;
  throw new NetError(
    "EAFNOSUPPORT",
    `${host} (${all.join(", ")}) cannot be reached from ${from?.join(", ")}: give addresses of one family`,
  );
}

/** Repeats the look-up of a name. */
export class NameLookup {
  readonly #options: LookupOptions;
  readonly #onFound: (addresses: readonly string[]) => void;
  readonly #onFailed: (code: string) => void;
  #finishedAt: number;
  #running = false;
  #requested = false;
  #timer: Timer | undefined;
  #stopped = false;

  /** Begins with a wait: the caller has looked the name up. */
  constructor(
    options: LookupOptions,
    onFound: (addresses: readonly string[]) => void,
    onFailed: (code: string) => void,
  ) {
    this.#options = options;
    this.#onFound = onFound;
    this.#onFailed = onFailed;
    this.#finishedAt = options.network.clock.now();
    this.#schedule(LOOKUP_INTERVAL_MS);
  }

  /** Looks the name up at once, or LOOKUP_PAUSE_MS after the last look-up. */
  request(): void {
    if (this.#running || this.#requested || this.#stopped) return;
    this.#requested = true;
    this.#schedule(Math.max(0, this.#finishedAt + LOOKUP_PAUSE_MS - this.#options.network.clock.now()));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.network.clock.after(delayMs, () => void this.#run());
  }

  async #run(): Promise<void> {
    this.#requested = false;
    this.#running = true;
    const found = await lookUp(this.#options).catch(networkFailure);
    this.#running = false;
    if (this.#stopped) return;
    this.#finishedAt = this.#options.network.clock.now();
    this.#schedule(LOOKUP_INTERVAL_MS);
    if (found instanceof NetError) this.#onFailed(found.code);
    else this.#onFound(found);
  }
}
