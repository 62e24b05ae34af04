/**
 * Per-source mode at the server: each TCP connection is a session with its own UDP socket, so that the target
 * sees a different port for each source of the client.
 */

import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { StreamListener } from "../../net/stream-transport.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import { sum } from "../../observe/stats.ts";
import { ServerAcceptPolicy } from "../access/accept-policy.ts";
import { AddressFilter } from "../access/address-filter.ts";
import { ConnectionTable } from "../access/connection-table.ts";
import { listenAtEach } from "../local-bind.ts";
import { InterfaceWatch } from "../target/interface-watch.ts";
import { SendWatch } from "../target/send-watch.ts";
import type { Target } from "../target/target.ts";
import { interfaceFinder } from "../target/target-interface.ts";
import { ServerSession, type ServerSessionContext } from "./server-session.ts";
import type { SessionContext, SessionManager } from "./session.ts";

export class SessionServer implements SessionManager {
  readonly sessions: ConnectionTable<ServerSession>;
  readonly udp: readonly Endpoint[] = [];
  readonly serves = true;
  readonly ready = Promise.resolve();
  readonly #context: ServerSessionContext;
  readonly #acceptPolicy: ServerAcceptPolicy;
  readonly #listeners: readonly StreamListener[];
  readonly #interfaceWatch: InterfaceWatch | undefined;
  #stopped = false;

  /**
   * @param target the server stops it in `close`.
   * @throws NetError when the TCP port cannot be bound.
   */
  constructor(
    context: SessionContext,
    target: Target,
    { addresses, port }: { addresses: readonly (string | undefined)[]; port: number },
    sessionsMax: number,
  ) {
    const { network, transport, settings, counters, budget, draining, events, trace } = context;
    const sendWatch = new SendWatch(network.clock, events, () => target.endpoint);
    const networks = network.broadcastNetworks(target.address);
    const answering = new AddressFilter(networks);
    answering.allowOnly(target.addresses);
    const shared = { network, transport, settings, counters, budget, draining, events, trace };
    const broadcast = networks.length > 0;
    this.#context = { ...shared, target, broadcast, answering, sendWatch };
    this.#acceptPolicy = new ServerAcceptPolicy(counters, events, settings.allow);
    this.sessions = new ConnectionTable(sessionsMax, settings.maxSessionsPerAddress);
    const listening = { transport, events, acceptPolicy: this.#acceptPolicy };
    this.#listeners = listenAtEach(addresses, port, (stream) => this.#onConnection(stream), listening);
    target.onChange(() => {
      answering.allowOnly(target.addresses);
      for (const session of this.sessions) session.retarget();
    });
    const find = interfaceFinder(network, {}, target.endpoint);
    const renew = () => [...this.sessions].forEach((session) => void session.renew());
    this.#interfaceWatch = find && new InterfaceWatch({ clock: network.clock, events, find, renew });
  }

  get listening(): readonly Endpoint[] {
    return this.#listeners.map(({ local }) => local);
  }

  /** Ends a session, its connection and its UDP socket. */
  end(session: ServerSession, reason: DisconnectReason, code?: string): void {
    if (!this.sessions.delete(session)) return;
    const source = session.remote;
    const sessions = this.sessions.size;
    this.#context.events.report({ type: "session closed", source, reason, code, sessions });
    session.end(reason);
  }

  stop(): void {
    this.#stopped = true;
    for (const listener of this.#listeners) listener.close();
  }

  sendFailure(): string | undefined {
    return this.#context.sendWatch.failure;
  }

  kernelDrops(): number | undefined {
    return sum(...[...this.sessions].map((session) => session.kernelDrops()));
  }

  close(): void {
    this.#context.target.stop();
    this.#interfaceWatch?.stop();
  }

  #onConnection(stream: StreamPort): void {
    if (this.#stopped) return this.#acceptPolicy.reject(stream, "closing");
    const { network, counters, events, target } = this.#context;
    const evict = (idle: ServerSession) => this.end(idle, "evicted");
    if (!this.#acceptPolicy.admit(stream, this.sessions, network.clock.now(), evict)) return;
    counters.connects++;
    if (this.sessions.size === 0) target.refresh();
    const session = new ServerSession(this.#context, stream);
    this.sessions.add(session, unmapped(stream.remote.address));
    const source = session.remote;
    events.report({ type: "session opened", source, sessions: this.sessions.size });
    session.start((reason, code) => this.end(session, reason, code));
  }
}
