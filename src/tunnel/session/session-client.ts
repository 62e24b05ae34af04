/**
 * Per-source mode at the client: each UDP source has a session, with its own link and its own TCP connection.
 *
 *   1. A listening socket receives a datagram. One look-up finds the session of its source; a new source is
 *      admitted or rejected.
 *   2. The session queues the datagram. Without a stream it requests one from the dial queue.
 *   3. Datagrams from that stream are sent to this source only.
 */

import type { DatagramPort, DatagramReceiver } from "../../net/datagram-port.ts";
import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { DisconnectReason } from "../../observe/events.ts";
import { sum } from "../../observe/stats.ts";
import { AddressFilter } from "../access/address-filter.ts";
import { ConnectionTable } from "../access/connection-table.ts";
import { ServerList } from "../dial/server-list.ts";
import { addressesOfWildcard, openAtEach } from "../local-bind.ts";
import { SendWatch } from "../target/send-watch.ts";
import { ClientSession } from "./client-session.ts";
import { DialQueue } from "./dial-queue.ts";
import type { SessionContext, SessionManager } from "./session.ts";

/** A listening socket and its sessions. Answers are sent from the same socket. */
interface ListeningSocket {
  readonly port: DatagramPort;
  readonly bySource: SourceMap<ClientSession>;
}

export class SessionClient implements SessionManager {
  readonly sessions: ConnectionTable<ClientSession>;
  readonly listening: readonly Endpoint[] = [];
  readonly #context: SessionContext;
  readonly #allowed: AddressFilter | undefined;
  readonly #dialQueue: DialQueue;
  readonly #sockets: ListeningSocket[] = [];
  #stopped = false;

  /**
   * @param addresses the local addresses to listen on, all with the same port; at least one.
   * @throws NetError when an address cannot be bound.
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
    return this.#sockets.map(({ port }) => port.local);
  }

  get ready(): Promise<unknown> {
    return Promise.all(this.#sockets.map(({ port }) => port.ready));
  }

  get serves(): boolean {
    return this.#dialQueue.answered;
  }

  sendFailure(): undefined {} // each source is a target: the failure of one does not concern the tunnel

  kernelDrops(): number | undefined {
    return sum(...this.#sockets.map(({ port }) => port.kernelDrops()));
  }

  /** Ends a session. Its source has a new one when it sends again. */
  end(session: ClientSession, reason: DisconnectReason): void {
    const { source } = session;
    if (!this.sessions.delete(session)) return;
    for (const { bySource } of this.#sockets) {
      if (bySource.get(source.address, source.port) === session) bySource.delete(source.address, source.port);
    }
    this.#context.events.report({ type: "session closed", source, reason, sessions: this.sessions.size });
    session.end(reason);
  }

  /** Drops further datagrams and stops dialling. */
  stop(): void {
    this.#stopped = true;
    this.#dialQueue.stop();
  }

  close(): void {
    this.#context.counters.kernelDrops += this.kernelDrops() ?? 0;
    for (const { port } of this.#sockets) port.close();
  }

  #listen(address: string, port: number): DatagramPort {
    const { network, counters, settings, events, trace } = this.#context;
    const bySource = new SourceMap<ClientSession>();
    const receiver: DatagramReceiver = {
      onDatagram: (payload, port, address, local) => {
        trace?.("outbound", { address, port }, payload.length);
        if (this.#stopped) return counters.outbound.dropReceived(payload, "closing");
        const session = bySource.get(address, port) ?? this.#openSession(payload, port, address, socket);
        session?.onDatagram(payload, local);
      },
      onError: (code) => void counters.countSocketError(code),
    };
    const options = { bind: { address, port }, reportLocal: true };
    const socket = { port: network.openDatagramPort(options, receiver), bySource };
    this.#sockets.push(socket);
    const addresses = socket.port.reportsLocal ? [] : addressesOfWildcard(address, network, settings.family);
    if (addresses.length > 1)
      events.report({
        type: "local address unknown",
        udp: { address, port: socket.port.local.port },
        addresses,
      });
    return socket.port;
  }

  /** Opens a session for a new source, or counts why the datagram is dropped. */
  #openSession(
    payload: Uint8Array,
    port: number,
    address: string,
    socket: ListeningSocket,
  ): ClientSession | undefined {
    const { network, events } = this.#context;
    if (this.#allowed?.allows(address) === false) return this.#dropWrongSource(payload, port, address);
    const { limit, evict } = this.sessions.findRoom(network.clock.now());
    if (limit !== undefined) return this.#dropAtLimit(payload, port, address);
    if (evict !== undefined) this.end(evict, "evicted");
    const source = { address, port };
    const sendWatch = new SendWatch(network.clock, events, () => source);
    const session = new ClientSession(this.#context, this.#dialQueue, source, socket.port, sendWatch);
    this.sessions.add(session);
    socket.bySource.set(address, port, session);
    events.report({ type: "session opened", source, sessions: this.sessions.size });
    return session;
  }

  #dropWrongSource(payload: Uint8Array, port: number, address: string): undefined {
    const { counters, settings, events } = this.#context;
    counters.outbound.dropReceived(payload, "wrong source");
    if (events.suppressRepeat("wrong source")) return;
    const source = { address: unmapped(address), port };
    events.report({ type: "wrong source", source, expected: settings.from });
  }

  #dropAtLimit(payload: Uint8Array, port: number, address: string): undefined {
    const { counters, events } = this.#context;
    counters.outbound.dropReceived(payload, "session limit");
    if (events.suppressRepeat("session rejected")) return;
    events.report({ type: "session rejected", source: { address, port }, sessions: this.sessions.size });
  }
}

/** A map by address and port, which builds no key per datagram. */
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
