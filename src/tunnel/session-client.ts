/**
 * Per-source mode at the client: listens on UDP, and gives every source a link and a TCP connection of its own. What
 * comes back on it goes to that source alone.
 */

import type { DatagramPort, DatagramReceiver } from "../net/datagram-port.ts";
import { type Endpoint, unmapped } from "../net/endpoint.ts";
import type { DisconnectReason, EventSource } from "../observe/events.ts";
import { AddressFilter } from "./address-filter.ts";
import { ClientSession, type ClientSessionEvents } from "./client-session.ts";
import { ServerDirectory } from "./server-directory.ts";
import type { SessionContext, SessionKeeper } from "./session.ts";
import { SessionDialler } from "./session-dialler.ts";
import { SessionTable } from "./session-table.ts";
import { SourceMap } from "./source-map.ts";
import type { Trace } from "./tunnel.ts";

/** This many connections in a row that end without an answer make the other end suspicious. */
const UNREAD_MAX = 3;

export class SessionClient implements SessionKeeper, DatagramReceiver, ClientSessionEvents {
  readonly sessions: SessionTable<ClientSession>;
  readonly listening: readonly Endpoint[] = [];
  readonly #context: SessionContext;
  readonly #events: EventSource;
  readonly #trace: Trace | undefined;
  readonly #allowed: AddressFilter | undefined;
  readonly #bySource = new SourceMap<ClientSession>();
  readonly #directory: ServerDirectory;
  readonly #dialler: SessionDialler;
  readonly #port: DatagramPort;
  #unread = 0;
  #stopped = false;

  /** @throws NetError when the UDP address cannot be bound. */
  constructor(
    context: SessionContext,
    events: EventSource,
    at: Endpoint,
    sessionsMax: number,
    trace: Trace | undefined,
  ) {
    const { network, settings } = context;
    this.#context = context;
    this.#events = events;
    this.#trace = trace;
    this.#allowed = settings.from.length > 0 ? new AddressFilter(settings.from) : undefined;
    this.sessions = new SessionTable(sessionsMax);
    this.#directory = new ServerDirectory(network, events, settings.connect, settings.family);
    this.#dialler = new SessionDialler(network, events, this.#directory);
    this.#port = network.openDatagramPort({ bind: at }, this);
  }

  get udp(): readonly Endpoint[] {
    return [this.#port.local];
  }

  get serves(): boolean {
    return this.#dialler.answered;
  }

  kernelDrops(): number | undefined {
    return this.#port.kernelDrops();
  }

  /** Where a source's session is found or made: the only look-up there is for a datagram. */
  onDatagram(payload: Uint8Array, port: number, address: string): void {
    this.#trace?.("outbound", { address, port }, payload.length);
    if (this.#stopped) return this.#context.counters.outbound.refuse(payload, "closing");
    const session = this.#bySource.get(address, port) ?? this.#admit(payload, address, port);
    session?.onDatagram(payload);
  }

  onError(code: string): void {
    if (code === "ECONNREFUSED") this.#context.counters.refusals++;
    else this.#context.counters.socketErrors++;
  }

  onSeek(session: ClientSession): void {
    this.#dialler.want(session);
  }

  onWaiting(): void {
    this.#dialler.hurry();
  }

  onStreamEnd(
    session: ClientSession,
    reason: DisconnectReason,
    code: string | undefined,
    unread: boolean,
  ): void {
    const { source } = session;
    this.#events.report({ type: "session disconnected", source, reason, code });
    this.#unread = unread ? this.#unread + 1 : 0;
    if (this.#unread === UNREAD_MAX) {
      this.#events.report({ type: "peer lacks sessions", server: this.#directory.name });
    }
  }

  /** Ends a session; its source gets a new one when it sends again. */
  end(session: ClientSession, reason: DisconnectReason): void {
    const { source } = session;
    if (!this.sessions.delete(session)) return;
    this.#bySource.delete(source.address, source.port);
    this.#dialler.forget(session);
    this.#events.report({ type: "session closed", source, reason, sessions: this.sessions.size });
    session.end(reason);
  }

  /** Takes no more datagrams in, and dials no more. */
  stop(): void {
    this.#stopped = true;
    this.#dialler.stop();
  }

  close(): void {
    this.#context.counters.kernelDrops += this.kernelDrops() ?? 0;
    this.#port.close();
  }

  #admit(payload: Uint8Array, address: string, port: number): ClientSession | undefined {
    const { counters, network, settings } = this.#context;
    if (this.#allowed?.allows(address) === false) {
      if (this.#events.isDue("wrong source")) {
        const source = { address: unmapped(address), port };
        this.#events.report({ type: "wrong source", source, expected: settings.from });
      }
      return void counters.outbound.refuse(payload, "wrong source");
    }
    const { room, evict } = this.sessions.makeRoom(network.clock.now());
    const source = { address, port };
    if (!room) {
      if (this.#events.isDue("session refused"))
        this.#events.report({ type: "session refused", source, sessions: this.sessions.size });
      return void counters.outbound.refuse(payload, "session limit");
    }
    if (evict !== undefined) this.end(evict, "evicted");
    const session = new ClientSession(this.#context, source, this.#port, this, this.#trace);
    this.sessions.add(session);
    this.#bySource.set(address, port, session);
    this.#events.report({ type: "session opened", source, sessions: this.sessions.size });
    return session;
  }
}
