/** The client's supply of streams: dials the server, and dials again, for as long as the tunnel lives. */

import { TunnelError } from "../errors.ts";
import type { Timer } from "../net/clock.ts";
import { type Endpoint, type Family, formatEndpoint } from "../net/endpoint.ts";
import { errorCode, NetError } from "../net/network.ts";
import type { Dial } from "../net/stream-port.ts";
import type { Association } from "./association.ts";
import { RedialPolicy } from "./redial-policy.ts";
import type { StreamSupply, SupplyContext } from "./stream-supply.ts";

/** How long one address may take to answer. */
const CONNECT_TIMEOUT_MS = 5000;

/** A server as it was given: a name or an address literal, and its (first) port. */
export interface ServerName {
  host: string;
  port: number;
}

export class StreamClient implements StreamSupply {
  readonly listening: readonly Endpoint[] = [];
  readonly #context: SupplyContext;
  readonly #servers: readonly ServerName[];
  readonly #family: Family | undefined;
  readonly #policy: RedialPolicy;
  readonly #lastGood = new Map<string, string[]>();
  #serverIndex = 0;
  #association: Association | undefined;
  #abandonDial: (() => void) | undefined;
  #wait: { since: number; wanted: boolean; timer: Timer; over: () => void } | undefined;
  #stopped = false;

  /** @param servers at least one; the next is tried when one cannot be reached or does not hold. */
  constructor(context: SupplyContext, servers: readonly ServerName[], family: Family | undefined) {
    this.#context = context;
    this.#servers = servers;
    this.#family = family;
    this.#policy = new RedialPolicy(() => context.network.random());
    void this.#run();
  }

  get association(): Association | undefined {
    return this.#association;
  }

  onWanted(): void {
    const wait = this.#wait;
    if (wait === undefined || wait.wanted) return;
    wait.wanted = true;
    const { clock } = this.#context.network;
    const sooner = clock.after(this.#policy.wantedInMs(wait.since, clock.now()), wait.over);
    const planned = wait.timer;
    wait.timer = {
      cancel: () => {
        planned.cancel();
        sooner.cancel();
      },
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#abandonDial?.();
    this.#wait?.over();
  }

  async #run(): Promise<void> {
    const { network, once, events } = this.#context;
    while (!this.#stopped) {
      const server = this.#servers[this.#serverIndex % this.#servers.length] as ServerName;
      const failure = await this.#serve(server);
      if (this.#stopped) return;
      const { delayMs, settled } = this.#policy.onDown(network.clock.now());
      if (!settled) this.#serverIndex++;
      if (failure !== undefined) {
        const { code, message } = failure;
        if (once) return this.#context.onOver(new TunnelError("ERR_DIAL", message, { cause: failure }));
        const to = `${server.host}/${server.port}`;
        events.report({ type: "dial failed", to, code, message, retryInMs: delayMs });
      } else if (once) {
        return this.#context.onOver();
      }
      await this.#pause(delayMs);
    }
  }

  /** Dials a server's addresses one by one. Settles when its association has ended, or with why there was none. */
  async #serve(server: ServerName): Promise<NetError | undefined> {
    try {
      let failure: NetError | undefined;
      for (const address of await this.#addresses(server.host)) {
        if (this.#stopped) return undefined;
        failure = await this.#serveAddress({ address, port: server.port });
        if (failure === undefined) return undefined;
      }
      return failure;
    } catch (error) {
      return error as NetError;
    }
  }

  async #addresses(host: string): Promise<string[]> {
    try {
      const addresses = await this.#context.network.resolve(host, this.#family);
      this.#lastGood.set(host, addresses);
      return addresses;
    } catch (error) {
      const kept = this.#lastGood.get(host);
      if (kept === undefined) throw error;
      this.#context.events.report({ type: "name lookup failed", name: host, code: errorCode(error), kept });
      return kept;
    }
  }

  /** One try: all the streams of a pair at once. Settles when the association has ended, or with why it never was. */
  #serveAddress(first: Endpoint): Promise<NetError | undefined> {
    const { network, events, streams } = this.#context;
    return new Promise((resolve) => {
      let up = false;
      const giveUp = (failure: NetError) => {
        this.#abandonDial = undefined;
        timer.cancel();
        for (const dial of dials) dial.cancel();
        resolve(failure);
        association.end("pair lost");
      };
      const association = this.#context.associate({
        onUp: ([stream]) => {
          up = true;
          timer.cancel();
          this.#abandonDial = undefined;
          this.#policy.onUp(network.clock.now());
          events.forget("dial failed");
          if (stream) events.report({ type: "connected", local: stream.local, remote: stream.remote });
        },
        onEnded: (reason, code) => {
          this.#association = undefined;
          if (!up)
            return giveUp(new NetError(code ?? "ECONNRESET", `${formatEndpoint(first)} hung up: ${reason}`));
          events.report({ type: "disconnected", remote: first, reason, code });
          resolve(undefined);
        },
      });
      this.#association = association;
      const late = () => giveUp(new NetError("ETIMEDOUT", `${formatEndpoint(first)} does not answer`));
      const timer = network.clock.after(CONNECT_TIMEOUT_MS, late);
      this.#abandonDial = () => giveUp(new NetError("ECANCELED", "the tunnel is being closed"));
      const dials: Dial[] = Array.from({ length: streams }, (_, index) => {
        const dial = network.dial({ ...first, port: first.port + index });
        dial.stream.then((stream) => association.add(index, stream), giveUp);
        return dial;
      });
    });
  }

  #pause(delayMs: number): Promise<void> {
    const { clock } = this.#context.network;
    return new Promise((resolve) => {
      const over = () => {
        this.#wait?.timer.cancel();
        this.#wait = undefined;
        resolve();
      };
      this.#wait = { since: clock.now(), wanted: false, timer: clock.after(delayMs, over), over };
    });
  }
}
