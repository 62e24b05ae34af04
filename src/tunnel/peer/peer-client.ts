/** The client's connector: dials the server, and dials again after a failure or when the connection ends. */

import { TunnelError } from "../../errors.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { NetError, networkFailure } from "../../net/network.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DialTarget } from "../../net/stream-transport.ts";
import { PEER_CLOSED } from "../../observe/events.ts";
import { Backoff, RedialTimer, USEFUL_MS } from "../dial/backoff.ts";
import { type DialAttempt, dialOnce } from "../dial/dial-once.ts";
import type { ServerList } from "../dial/server-list.ts";
import type { Connector, ConnectorContext } from "./connector.ts";
import { StreamGroup } from "./stream-group.ts";

/** When a connection has lived this long, the same server is dialled again, after the first delay. */
const SETTLED_MS = 5000;

export class PeerClient implements Connector {
  readonly listening: readonly Endpoint[] = [];
  readonly #context: ConnectorContext;
  readonly #servers: ServerList;
  readonly #backoff: Backoff;
  #group: StreamGroup | undefined;
  #attempt: DialAttempt | undefined;
  #redial: RedialTimer | undefined;
  /** When the last connection came up; undefined when the last dial failed. */
  #upAt: number | undefined;
  /** Whether the last connection was up and ended before it was useful. */
  #closedEarly = false;
  #stopped = false;

  constructor(context: ConnectorContext, servers: ServerList) {
    this.#context = context;
    this.#servers = servers;
    this.#backoff = new Backoff(() => context.network.random());
    this.#run().catch((defect) => {
      context.endTunnel(defect);
      throw defect;
    });
  }

  get group(): StreamGroup | undefined {
    return this.#group;
  }

  onDemand(): void {
    this.#redial?.onDemand();
  }

  stop(): void {
    this.#stopped = true;
    this.#attempt?.cancel();
    this.#redial?.cancel();
  }

  async #run(): Promise<void> {
    const { network, endsWithStream, events } = this.#context;
    while (!this.#stopped) {
      const failure = await this.#serve();
      if (this.#stopped) return;
      const now = network.clock.now();
      const settled = this.#upAt !== undefined && now - this.#upAt >= SETTLED_MS;
      this.#upAt = undefined;
      if (settled) this.#backoff.reset();
      const delayMs = this.#backoff.onFailure(now);
      if (endsWithStream)
        return this.#context.endTunnel(
          failure && new TunnelError("ERR_DIAL", failure.message, { cause: failure }),
        );
      if (failure !== undefined) {
        const { code, message } = failure;
        events.report({ type: "dial failed", to: this.#servers.name, code, message, retryInMs: delayMs });
      }
      if (!settled) this.#servers.next();
      await new Promise<void>((resolve) => {
        this.#redial = new RedialTimer(network.clock, delayMs, resolve);
      });
      this.#redial = undefined;
    }
  }

  /** Dials the server's addresses one by one. Settles when a group has ended, or with the last failure. */
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

  /** Dials all streams of a group at once. Settles when the group has ended, or with the failure. */
  async #serveAddress(first: DialTarget): Promise<NetError | undefined> {
    const { network, transport, events, links, endsWithStream } = this.#context;
    const { clock } = network;
    const { promise: ended, resolve } = Promise.withResolvers<NetError | undefined>();
    let upAt: number | undefined;
    const group = new StreamGroup(this.#context, {
      onComplete: ([stream]) => {
        this.#context.onConnected();
        upAt = clock.now();
        this.#upAt = upAt;
        if (stream) events.report({ type: "connected", local: stream.local, remote: first });
      },
      onEnded: (reason, code) => {
        this.#group = undefined;
        if (upAt === undefined)
          return attempt.cancel(
            new NetError(code ?? "ECONNRESET", `${formatEndpoint(first)} closed the connection: ${reason}`),
          );
        events.report({ type: "disconnected", remote: first, reason, code }, this.#closedEarly);
        const useful = group.receivedFrame || clock.now() - upAt >= USEFUL_MS;
        this.#closedEarly = !useful;
        if (useful) events.resetThrottle("dial failed");
        if (useful || endsWithStream) return resolve(undefined);
        resolve(new NetError(PEER_CLOSED, closedEarly(first, code ?? reason)));
      },
    });
    this.#group = group;
    const add = (stream: StreamPort, index: number) => group.add(index, stream);
    const attempt = dialOnce(transport, clock, first, links.length, add);
    this.#attempt = attempt;
    const failure = await attempt.done.finally(() => {
      if (!group.complete) group.end("pair lost");
    });
    return failure ?? ended;
  }
}

/** The message for a connection that ended early. Only the server knows the cause, so it lists all causes. */
function closedEarly(server: Endpoint, reason: string): string {
  return (
    `${formatEndpoint(server)} accepted the connection and closed it without sending anything (${reason}). ` +
    "Possible causes: it was stopped, it serves another client, it does not allow this address, it requires " +
    "TLS, a client certificate or a secret, it is in per-source or RTP mode, or it is another program"
  );
}
