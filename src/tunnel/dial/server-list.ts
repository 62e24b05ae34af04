/** The servers that a client may dial, one of which is current, and the addresses of their names. */

import type { Family } from "../../net/endpoint.ts";
import { type Network, networkFailure } from "../../net/network.ts";
import type { DialTarget } from "../../net/stream-transport.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";

/** A server as the user gave it. */
export interface ServerName {
  /** A name or an address literal. */
  readonly host: string;
  /** In RTP mode the first of two ports. */
  readonly port: number;
}

export class ServerList {
  readonly #network: Network;
  readonly #events: EventReporter;
  readonly #servers: readonly ServerName[];
  readonly #family: Family | undefined;
  /** The addresses of each name at its last successful look-up. */
  readonly #lastGood = new Map<string, string[]>();
  #index = 0;

  /** @param servers at least one. */
  constructor(
    network: Network,
    events: EventReporter,
    servers: readonly ServerName[],
    family: Family | undefined,
  ) {
    this.#network = network;
    this.#events = events;
    this.#servers = servers;
    this.#family = family;
  }

  /** The current server, for events. */
  get name(): string {
    const { host, port } = this.#current;
    return `${host}/${port}`;
  }

  /**
   * The addresses of the current server, best first. Looks its name up; if that fails, returns the last good
   * addresses.
   *
   * @throws NetError when no look-up of the name has succeeded yet.
   */
  async addresses(): Promise<DialTarget[]> {
    const { host, port } = this.#current;
    return (await this.#resolve(host)).map((address) => ({ address, port, host }));
  }

  /** Makes the next server the current one. */
  next(): void {
    this.#index++;
  }

  get #current(): ServerName {
    return this.#servers[this.#index % this.#servers.length] as ServerName;
  }

  async #resolve(host: string): Promise<string[]> {
    try {
      const addresses = await this.#network.resolve(host, this.#family);
      this.#lastGood.set(host, addresses);
      return addresses;
    } catch (error) {
      const { code } = networkFailure(error);
      const kept = this.#lastGood.get(host);
      if (kept === undefined) throw error;
      this.#events.report({ type: "name lookup failed", name: host, code, kept });
      return kept;
    }
  }
}
