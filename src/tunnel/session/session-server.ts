/**
 * Per-source mode at the server: every TCP connection is a session with a UDP socket of its own, opened at its first
 * frame, so that the target sees each source on a port of its own.
 */

import { type Link, reasonOf, type StreamEnd } from "../../link/link.ts";
import { SendWatch } from "../../link/send-watch.ts";
import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamListener, StreamPort } from "../../net/stream-port.ts";
import type { DisconnectReason, EventSource } from "../../observe/events.ts";
import { sum } from "../../observe/stats.ts";
import { ServerAcceptPolicy } from "../access/accept-policy.ts";
import { AddressFilter } from "../access/address-filter.ts";
import { ConnectionTable } from "../access/connection-table.ts";
import { openAtEach, placeOf } from "../own-addresses.ts";
import { InterfaceWatch, interfaceFinder } from "../target/interface-watch.ts";
import type { Target } from "../target/target.ts";
import type { Trace } from "../tunnel.ts";
import { type Session, type SessionContext, type SessionManager, sessionLink } from "./session.ts";
import { SessionTarget, type SessionTargetContext } from "./session-target.ts";

/** A client that has sent FIN may still read: its session lives on until it has been idle for this long. */
const HALF_CLOSED_IDLE_MS = 10_000;

export class SessionServer implements SessionManager {
  readonly sessions: ConnectionTable<ServerSession>;
  readonly udp: readonly Endpoint[] = [];
  readonly serves = true;
  readonly ready = Promise.resolve();
  readonly #context: SessionTargetContext;
  readonly #events: EventSource;
  readonly #acceptPolicy: ServerAcceptPolicy;
  readonly #perAddress = new Map<string, number>();
  readonly #listeners: readonly StreamListener[];
  readonly #interfaceWatch: InterfaceWatch | undefined;
  #stopped = false;

  /**
   * @param target stopped when the server is closed.
   * @throws NetError when the TCP port cannot be bound.
   */
  constructor(
    context: SessionContext,
    events: EventSource,
    target: Target,
    { addresses, port }: { addresses: readonly (string | undefined)[]; port: number },
    sessionsMax: number,
    trace: Trace | undefined,
  ) {
    const { network, settings, counters, budget, draining } = context;
    const sendWatch = new SendWatch(network.clock, events, () => target.endpoint);
    const networks = network.broadcastNetworks(target.address);
    const answering = new AddressFilter(networks);
    answering.allowOnly(target.addresses);
    const shared = { network, settings, counters, budget, draining };
    const broadcast = networks.length > 0;
    this.#context = { ...shared, events, target, broadcast, answering, sendWatch, trace };
    this.#events = events;
    this.#acceptPolicy = new ServerAcceptPolicy(counters, events, settings.allow);
    this.sessions = new ConnectionTable(sessionsMax);
    const listen = (address: string | undefined, port: number) =>
      network.listen(placeOf(address, port), (stream) => this.#offer(stream), this.#acceptPolicy);
    this.#listeners = openAtEach(addresses, port, listen, events);
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
    return this.#context.sendWatch.failure;
  }

  kernelDrops(): number | undefined {
    return sum(...[...this.sessions].map((session) => session.kernelDrops()));
  }

  close(): void {
    this.#context.target.stop();
    this.#interfaceWatch?.stop();
  }

  #offer(stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const { settings, network } = this.#context;
    if (this.#stopped) return this.#acceptPolicy.reject(stream, "closing");
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (ofAddress >= settings.maxSessionsPerAddress)
      return this.#acceptPolicy.rejectForAddressLimit(stream, ofAddress);
    const { room, evict } = this.sessions.makeRoom(network.clock.now());
    if (!room) return this.#acceptPolicy.rejectForSessionLimit(stream, this.sessions.size);
    if (evict !== undefined) this.end(evict, "evicted");
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#context.counters.connects++;
    if (this.sessions.size === 0) this.#context.target.refresh();
    const session = new ServerSession(this.#context, stream);
    this.sessions.add(session);
    this.#events.report({ type: "session opened", source: session.remote, sessions: this.sessions.size });
    session.start((reason, code) => this.end(session, reason, code));
  }
}

/** One TCP connection and its UDP socket. */
class ServerSession implements Session {
  readonly remote: Endpoint;
  readonly address: string;
  readonly #context: SessionTargetContext;
  readonly #stream: StreamPort;
  readonly #link: Link;
  readonly #udp: SessionTarget;
  #halfClosed = false;
  #gone = false;

  constructor(context: SessionTargetContext, stream: StreamPort) {
    const { trace, sendWatch } = context;
    this.#context = context;
    this.#stream = stream;
    this.remote = stream.remote;
    this.address = unmapped(stream.remote.address);
    this.#udp = new SessionTarget(context, () => this.#link);
    this.#link = sessionLink(context, {
      openSender: () => this.#udp.open(),
      trace: trace && ((from, bytes) => trace("inbound", from.remote, bytes)),
      sendWatch,
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
        if (!this.#udp.isOpen) onEnd("closed by peer", undefined);
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
    return this.#udp.kernelDrops();
  }

  /** The target has another address. */
  retarget(): void {
    this.#udp.retarget();
  }

  /** The interface to the target has changed. */
  renew(): void {
    this.#udp.renew();
  }

  shrink(): void {
    this.#link.shrink();
  }

  end(reason: DisconnectReason): void {
    const late = this.#link.detach();
    this.#link.dropHeld(reason === "closing" ? "closing" : "stream lost");
    this.#udp.close();
    if (!this.#gone) this.#context.draining.add(this.#stream, late);
  }
}
