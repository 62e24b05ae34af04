/**
 * Per-source mode at the server: every TCP connection is a session with a UDP socket of its own, opened at its first
 * frame, so that the target sees each source on a port of its own.
 */

import { type Endpoint, unmapped } from "../net/endpoint.ts";
import { errorCode } from "../net/network.ts";
import type { StreamListener, StreamPort } from "../net/stream-port.ts";
import type { DisconnectReason, EventSource, RefusalReason } from "../observe/events.ts";
import { sum } from "../observe/stats.ts";
import { AddressFilter } from "./address-filter.ts";
import { reasonOf } from "./association.ts";
import type { Link, StreamEnd } from "./link.ts";
import { openAtEach, placeOf } from "./own-addresses.ts";
import { SendWatch } from "./send-watch.ts";
import { ServerDoorkeeper } from "./server-doorkeeper.ts";
import { type Session, type SessionContext, type SessionKeeper, sessionLink } from "./session.ts";
import { SessionSocket, type SessionSocketOptions } from "./session-socket.ts";
import { SessionTable } from "./session-table.ts";
import type { Trace } from "./tunnel.ts";

/** What the sockets of all sessions share. */
type SessionUdp = Pick<SessionSocketOptions, "target" | "broadcast" | "answering" | "events" | "sendWatch">;

/** A client that has sent FIN may still read: its session lives on until it has been idle for this long. */
const HALF_CLOSED_IDLE_MS = 10_000;

export class SessionServer implements SessionKeeper {
  readonly sessions: SessionTable<ServerSession>;
  readonly udp: readonly Endpoint[] = [];
  readonly serves = true;
  readonly #context: SessionContext;
  readonly #events: EventSource;
  readonly #trace: Trace | undefined;
  readonly #doorkeeper: ServerDoorkeeper;
  readonly #perAddress = new Map<string, number>();
  readonly #listeners: readonly StreamListener[];
  readonly #udp: SessionUdp;
  #stopped = false;

  /** @throws NetError when the TCP port cannot be bound. */
  constructor(
    context: SessionContext,
    events: EventSource,
    target: Endpoint,
    { addresses, port }: { addresses: readonly (string | undefined)[]; port: number },
    sessionsMax: number,
    trace: Trace | undefined,
  ) {
    const { network, settings } = context;
    this.#context = context;
    this.#events = events;
    this.#trace = trace;
    this.#doorkeeper = new ServerDoorkeeper(context.counters, events, settings.allow);
    this.sessions = new SessionTable(sessionsMax);
    const networks = network.broadcastNetworks(target.address);
    const answering = new AddressFilter(networks);
    answering.allowOnly([target.address]);
    this.#udp = {
      target,
      broadcast: networks.length > 0,
      answering,
      events,
      sendWatch: new SendWatch(network.clock, events, () => target),
    };
    const listen = (address: string | undefined, port: number) =>
      network.listen(placeOf(address, port), (stream) => this.#offer(stream), this.#doorkeeper);
    this.#listeners = openAtEach(addresses, port, listen, events);
  }

  get listening(): readonly Endpoint[] {
    return this.#listeners.map(({ local }) => local);
  }

  /** Ends a session: its connection and its UDP socket. */
  end(session: ServerSession, reason: DisconnectReason, code?: string): void {
    if (!this.sessions.delete(session)) return;
    const { address } = session;
    const others = (this.#perAddress.get(address) ?? 1) - 1;
    if (others === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, others);
    const source = session.remote;
    this.#events.report({ type: "session closed", source, reason, code, sessions: this.sessions.size });
    session.end(reason);
  }

  stop(): void {
    this.#stopped = true;
    for (const listener of this.#listeners) listener.close();
  }

  sendFailure(): string | undefined {
    return this.#udp.sendWatch.failure;
  }

  kernelDrops(): number | undefined {
    return sum(...[...this.sessions].map((session) => session.kernelDrops()));
  }

  close(): void {}

  #offer(stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const { settings, network } = this.#context;
    if (this.#stopped) return this.#refuse(stream, "closing");
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (ofAddress >= settings.maxSessionsPerAddress)
      return this.#refuse(stream, "too many sessions of this address");
    const { room, evict } = this.sessions.makeRoom(network.clock.now());
    if (!room) return this.#refuse(stream, "too many sessions");
    if (evict !== undefined) this.end(evict, "evicted");
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#context.counters.connects++;
    const session = new ServerSession(this.#context, stream, this.#udp, this.#trace);
    this.sessions.add(session);
    this.#events.report({ type: "session opened", source: session.remote, sessions: this.sessions.size });
    session.start((reason, code) => this.end(session, reason, code));
  }

  #refuse(stream: StreamPort, reason: RefusalReason): void {
    if (reason === "too many sessions") {
      this.#events.report({ type: "session refused", source: stream.remote, sessions: this.sessions.size });
    }
    this.#doorkeeper.turnAway(stream, reason);
  }
}

/** One TCP connection and its UDP socket. */
class ServerSession implements Session {
  readonly remote: Endpoint;
  readonly address: string;
  readonly #context: SessionContext;
  readonly #stream: StreamPort;
  readonly #link: Link;
  readonly #udp: SessionUdp;
  readonly #trace: Trace | undefined;
  #socket: SessionSocket | undefined;
  #halfClosed = false;
  #gone = false;

  constructor(context: SessionContext, stream: StreamPort, udp: SessionUdp, trace: Trace | undefined) {
    this.#context = context;
    this.#stream = stream;
    this.remote = stream.remote;
    this.address = unmapped(stream.remote.address);
    this.#udp = udp;
    this.#trace = trace;
    this.#link = sessionLink(context, {
      openSender: () => this.#openSocket(),
      trace: trace && ((from, bytes) => trace("inbound", from.remote, bytes)),
      sendWatch: udp.sendWatch,
    });
  }

  get activeAt(): number {
    return this.#link.activeAt;
  }

  get idleLimitMs(): number {
    const idleMs = this.#context.settings.idleTimeoutMs || Infinity;
    return this.#halfClosed ? Math.min(HALF_CLOSED_IDLE_MS, idleMs) : idleMs;
  }

  get link(): Link {
    return this.#link;
  }

  start(onEnd: (reason: DisconnectReason, code: string | undefined) => void): void {
    this.#link.attach(this.#stream, (end: StreamEnd) => {
      if (end.by === "peer") {
        this.#halfClosed = true;
        if (this.#socket === undefined) onEnd("closed by peer", undefined);
        return;
      }
      this.#gone = end.by === "error";
      const reason = this.#halfClosed ? "closed by peer" : reasonOf(end);
      onEnd(reason, end.by === "error" ? end.code : undefined);
    });
  }

  /** Whether datagrams are being written. */
  get writing(): boolean {
    return this.#link.held.outbound > 0;
  }

  kernelDrops(): number | undefined {
    return this.#socket?.kernelDrops();
  }

  shrink(): void {
    this.#link.shrink();
  }

  end(reason: DisconnectReason): void {
    const late = this.#link.detach();
    this.#link.dropHeld(reason === "closing" ? "closing" : "stream lost");
    this.#context.counters.kernelDrops += this.kernelDrops() ?? 0;
    this.#socket?.close();
    if (!this.#gone) this.#context.farewells.bid(this.#stream, late);
  }

  #openSocket(): void {
    const { network, counters, settings } = this.#context;
    const trace = this.#trace;
    try {
      this.#socket = new SessionSocket({
        ...this.#udp,
        network,
        counters,
        settings,
        link: this.#link,
        trace: trace && ((source, bytes) => trace("outbound", source, bytes)),
      });
    } catch (error) {
      // Counted by the link as `not sent`; the next frame tries again.
      this.#udp.sendWatch.onRefused(errorCode(error), 1);
    }
  }
}
