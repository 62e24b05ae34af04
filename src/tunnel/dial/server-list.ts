/** The servers a client was given, and the addresses their names have. */

import type { Family } from "../../net/endpoint.ts";
import { type Network, networkFailure } from "../../net/network.ts";
import type { DialTarget } from "../../net/stream-transport.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";

/** A server as it was given: a name or an address literal, and its (first) port. */
export interface ServerName {
  readonly host: string;
  readonly port: number;
}

export class ServerList {
  readonly #network: Network;
  readonly #events: EventReporter;
  readonly #servers: readonly ServerName[];
  readonly #family: Family | undefined;
  /** The addresses a name had when it could last be resolved. */
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

  /** The server whose turn it is, as people read it. */
  get name(): string {
    const { host, port } = this.#current;
    return `${host}/${port}`;
  }

  /**
   * Where the server whose turn it is can be reached, best first. The name is resolved anew; if that fails, the last
   * good addresses serve.
   *
   * @throws NetError when there never were any.
   */
  async addresses(): Promise<DialTarget[]> {
    const { host, port } = this.#current;
    return (await this.#resolve(host)).map((address) => ({ address, port, host }));
  }

  /** It is the next server's turn. */
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
