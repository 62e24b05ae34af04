/** The client's supply of streams: dials the server, and dials again, for as long as the tunnel lives. */

import { TunnelError } from "../../errors.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { NetError, networkFailure } from "../../net/network.ts";
import type { Dial, DialTarget } from "../../net/stream-transport.ts";
import { PEER_CLOSED } from "../../observe/events.ts";
import { RedialPolicy, USEFUL_MS } from "../dial/backoff.ts";
import { RedialPause } from "../dial/redial-pause.ts";
import type { ServerList } from "../dial/server-list.ts";
import type { Connector, ConnectorContext } from "./connector.ts";
import { StreamGroup } from "./stream-group.ts";

/** How long one address may take to answer. */
const CONNECT_TIMEOUT_MS = 5000;

export class PeerClient implements Connector {
  readonly listening: readonly Endpoint[] = [];
  readonly #context: ConnectorContext;
  readonly #servers: ServerList;
  readonly #policy: RedialPolicy;
  #group: StreamGroup | undefined;
  #abandonDial: (() => void) | undefined;
  #pause: RedialPause | undefined;
  /** The last connection was up, and ended before it was useful. */
  #closedEarly = false;
  #stopped = false;

  constructor(context: ConnectorContext, servers: ServerList) {
    this.#context = context;
    this.#servers = servers;
    this.#policy = new RedialPolicy(() => context.network.random());
    this.#run().catch((defect) => {
      context.onOver(defect);
      throw defect;
    });
  }

  get group(): StreamGroup | undefined {
    return this.#group;
  }

  onDemand(): void {
    this.#pause?.want();
  }

  stop(): void {
    this.#stopped = true;
    this.#abandonDial?.();
    this.#pause?.end();
  }

  async #run(): Promise<void> {
    const { network, endsWithStream, events } = this.#context;
    while (!this.#stopped) {
      const failure = await this.#serve();
      if (this.#stopped) return;
      const { delayMs, settled } = this.#policy.onDown(network.clock.now());
      if (endsWithStream)
        return this.#context.onOver(
          failure && new TunnelError("ERR_DIAL", failure.message, { cause: failure }),
        );
      if (failure !== undefined) {
        const { code, message } = failure;
        events.report({ type: "dial failed", to: this.#servers.name, code, message, retryInMs: delayMs });
      }
      if (!settled) this.#servers.next();
      await new Promise<void>((resolve) => {
        this.#pause = new RedialPause(network.clock, delayMs, resolve);
      });
      this.#pause = undefined;
    }
  }

  /** Dials the server's addresses one by one. Settles when its group has ended, or with why there was none. */
  async #serve(): Promise<NetError | undefined> {
    let failure: NetError | undefined;
    try {
      for (const address of await this.#servers.addresses()) {
        if (this.#stopped) return undefined;
        failure = await this.#serveAddress(address);
        if (failure === undefined) return undefined;
      }
    } catch (error) {
      failure = networkFailure(error);
    }
    return failure;
  }

  /** One try: all the streams of a pair at once. Settles when the group has ended, or with why it never was. */
  #serveAddress(first: DialTarget): Promise<NetError | undefined> {
    const { network, transport, events, links, endsWithStream } = this.#context;
    return new Promise((resolve, reject) => {
      let upAt: number | undefined;
      const giveUp = (failure: unknown) => {
        this.#abandonDial = undefined;
        timer.cancel();
        for (const dial of dials) dial.cancel();
        if (failure instanceof NetError) resolve(failure);
        else reject(failure);
        group.end("pair lost");
      };
      const group = new StreamGroup(this.#context, {
        onUp: ([stream]) => {
          this.#context.onConnected();
          timer.cancel();
          this.#abandonDial = undefined;
          upAt = network.clock.now();
          this.#policy.onUp(upAt);
          if (stream) events.report({ type: "connected", local: stream.local, remote: first });
        },
        onEnded: (reason, code) => {
          this.#group = undefined;
          if (upAt === undefined)
            return giveUp(new NetError(code ?? "ECONNRESET", `${formatEndpoint(first)} hung up: ${reason}`));
          events.report({ type: "disconnected", remote: first, reason, code }, this.#closedEarly);
          const useful = group.heard || network.clock.now() - upAt >= USEFUL_MS;
          this.#closedEarly = !useful;
          if (useful) events.forget("dial failed");
          if (useful || endsWithStream) return resolve(undefined);
          resolve(new NetError(PEER_CLOSED, closedEarly(first, code ?? reason)));
        },
      });
      this.#group = group;
      const late = () => {
        if (dials.every(({ answered }) => answered)) return;
        giveUp(new NetError("ETIMEDOUT", `${formatEndpoint(first)} does not answer`));
      };
      const timer = network.clock.after(CONNECT_TIMEOUT_MS, late);
      this.#abandonDial = () => giveUp(new NetError("ECANCELED", "the tunnel is being closed"));
      const dials: Dial[] = links.map((_, index) => {
        const dial = transport.dial({ ...first, port: first.port + index });
        dial.stream.then((stream) => group.add(index, stream)).catch(giveUp);
        return dial;
      });
    });
  }
}

/** Names the possible causes of a connection that ended at once: only the server knows which it was. */
function closedEarly(server: Endpoint, reason: string): string {
  return (
    `${formatEndpoint(server)} accepted the connection and ended it before it sent anything (${reason}): it may have been ` +
    "stopped, serve another client, not allow this address, require TLS, a secret, -p or -r, or be another program"
  );
}
