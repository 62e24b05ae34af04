/**
 * Per-source mode at the client: listens on UDP, and gives every source a link and a TCP connection of its own. What
 * comes back on it goes to that source alone.
 */

import type { DatagramPort, DatagramReceiver } from "../../net/datagram-port.ts";
import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import { sum } from "../../observe/stats.ts";
import { AddressFilter } from "../access/address-filter.ts";
import { ConnectionTable } from "../access/connection-table.ts";
import { ServerList } from "../dial/server-list.ts";
import { addressesBehind, openAtEach } from "../local-bind.ts";
import { SendWatch } from "../target/send-watch.ts";
import { ClientSession } from "./client-session.ts";
import { DialQueue } from "./dial-queue.ts";
import type { SessionContext, SessionManager } from "./session.ts";

/** A local address to listen on. Answers leave from it, so each socket has sessions of its own. */
interface ListeningPort {
  readonly port: DatagramPort;
  readonly bySource: SourceMap<ClientSession>;
}

export class SessionClient implements SessionManager {
  readonly sessions: ConnectionTable<ClientSession>;
  readonly listening: readonly Endpoint[] = [];
  readonly #context: SessionContext;
  readonly #allowed: AddressFilter | undefined;
  readonly #dialQueue: DialQueue;
  readonly #ports: ListeningPort[] = [];
  #stopped = false;

  /**
   * @param addresses the local addresses to listen on, all with this port; at least one.
   * @throws NetError when they cannot be bound.
   */
  constructor(
    context: SessionContext,
    { addresses, port }: { addresses: readonly string[]; port: number },
    sessionsMax: number,
  ) {
    const { network, transport, settings, events } = context;
    this.#context = context;
    this.#allowed = settings.from.length > 0 ? new AddressFilter(settings.from) : undefined;
    this.sessions = new ConnectionTable(sessionsMax);
    const servers = new ServerList(network, events, settings.connect, settings.family);
    this.#dialQueue = new DialQueue(network, transport, events, servers);
    openAtEach(addresses, port, (...at) => this.#listen(...at), events);
  }

  get udp(): readonly Endpoint[] {
    return this.#ports.map(({ port }) => port.local);
  }

  get ready(): Promise<unknown> {
    return Promise.all(this.#ports.map(({ port }) => port.ready));
  }

  get serves(): boolean {
    return this.#dialQueue.answered;
  }

  sendFailure(): undefined {} // there are many targets: the failure of one is not the tunnel's

  kernelDrops(): number | undefined {
    return sum(...this.#ports.map(({ port }) => port.kernelDrops()));
  }

  /** Ends a session; its source gets a new one when it sends again. */
  end(session: ClientSession, reason: DisconnectReason): void {
    const { source } = session;
    if (!this.sessions.delete(session)) return;
    for (const { bySource } of this.#ports) {
      if (bySource.get(source.address, source.port) === session) bySource.delete(source.address, source.port);
    }
    this.#context.events.report({ type: "session closed", source, reason, sessions: this.sessions.size });
    session.end(reason);
  }

  /** Takes no more datagrams in, and dials no more. */
  stop(): void {
    this.#stopped = true;
    this.#dialQueue.stop();
  }

  close(): void {
    this.#context.counters.kernelDrops += this.kernelDrops() ?? 0;
    for (const { port } of this.#ports) port.close();
  }

  #listen(address: string, port: number): DatagramPort {
    const { network, counters, settings, events, trace } = this.#context;
    const bySource = new SourceMap<ClientSession>();
    const receiver: DatagramReceiver = {
      // Finds or makes the source's session: the only look-up for a datagram.
      onDatagram: (payload, port, address, local) => {
        trace?.("outbound", { address, port }, payload.length);
        if (this.#stopped) return counters.outbound.refuse(payload, "closing");
        const session = bySource.get(address, port) ?? this.#admit(payload, { address, port }, at);
        session?.onDatagram(payload, local);
      },
      onError: (code) => {
        if (code === "ECONNREFUSED") counters.refusals++;
        else counters.socketErrors++;
      },
    };
    const options = { bind: { address, port }, reportLocal: true };
    const at = { port: network.openDatagramPort(options, receiver), bySource };
    this.#ports.push(at);
    const addresses = at.port.reportsLocal ? [] : addressesBehind(address, network, settings.family);
    if (addresses.length > 1)
      events.report({
        type: "local address unknown",
        udp: { address, port: at.port.local.port },
        addresses,
      });
    return at.port;
  }

  #admit(payload: Uint8Array, source: Endpoint, at: ListeningPort): ClientSession | undefined {
    const { counters, network, settings, events } = this.#context;
    const { address, port } = source;
    if (this.#allowed?.allows(address) === false) {
      if (events.isDue("wrong source")) {
        const source = { address: unmapped(address), port };
        events.report({ type: "wrong source", source, expected: settings.from });
      }
      return void counters.outbound.refuse(payload, "wrong source");
    }
    const { limit, evict } = this.sessions.makeRoom(network.clock.now());
    if (limit !== undefined) {
      if (events.isDue("session rejected"))
        events.report({ type: "session rejected", source, sessions: this.sessions.size });
      return void counters.outbound.refuse(payload, "session limit");
    }
    if (evict !== undefined) this.end(evict, "evicted");
    const sendWatch = new SendWatch(network.clock, events, () => source);
    const session = new ClientSession(this.#context, this.#dialQueue, source, at.port, sendWatch);
    this.sessions.add(session);
    at.bySource.set(address, port, session);
    events.report({ type: "session opened", source, sessions: this.sessions.size });
    return session;
  }
}

/** Finds what belongs to a UDP source without building a key for every datagram. */

export class SourceMap<Value> {
  readonly #byPort = new Map<number, Map<string, Value>>();

  get(address: string, port: number): Value | undefined {
    return this.#byPort.get(port)?.get(address);
  }

  set(address: string, port: number, value: Value): void {
    let byAddress = this.#byPort.get(port);
    if (byAddress === undefined) {
      byAddress = new Map();
      this.#byPort.set(port, byAddress);
    }
    byAddress.set(address, value);
  }

  delete(address: string, port: number): void {
    const byAddress = this.#byPort.get(port);
    byAddress?.delete(address);
    if (byAddress?.size === 0) this.#byPort.delete(port);
  }
}
