/** Per-source mode: many sessions, one link each. The two ends differ in how a session comes to be; the rest is here. */

import type { Timer } from "../net/clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Network } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import type { Gauges, TunnelState } from "../observe/stats.ts";
import { isGuarded, type Settings } from "../options/settings.ts";
import { failAs } from "./fail-as.ts";
import { Farewells } from "./farewells.ts";
import { Life } from "./life.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { reloadCertificates } from "./reload-certificates.ts";
import type { SessionContext, SessionKeeper } from "./session.ts";
import { SessionClient } from "./session-client.ts";
import { SessionServer } from "./session-server.ts";
import type { Trace, Tunnel } from "./tunnel.ts";
import { TunnelEmitter } from "./tunnel-emitter.ts";

/** How often idle sessions are looked for, at most. */
const SWEEP_MS = 1000;
/** A session idle for this long gives back the memory its queue had grown by. */
const SHRINK_IDLE_MS = 5000;
/** All queues together hold this many times what one may hold. */
const BUDGET_QUEUES = 16;
/** Descriptors kept for everything that is not a session: connections that are being left or refused, too. */
const DESCRIPTORS_RESERVED = 256;
/** How long closing may take to get rid of what is queued, and how often it looks. */
const CLOSE_MS = 1000;
const CLOSE_POLL_MS = 5;

export class SessionTunnel extends TunnelEmitter implements Tunnel, SessionContext {
  readonly counters: Counters;
  readonly network: Network;
  readonly settings: Settings;
  readonly budget: MemoryBudget;
  readonly farewells: Farewells;
  readonly #events: EventSource;
  readonly #trace: Trace | undefined;
  readonly #life = new Life(() => this.#close());
  #end: SessionKeeper | undefined;
  #sweep: Timer | undefined;
  readonly #startedAt: number;

  constructor(
    settings: Settings,
    network: Network,
    counters: Counters,
    events: EventSource,
    trace: Trace | undefined,
  ) {
    super();
    this.counters = counters;
    this.settings = settings;
    this.network = network;
    this.#startedAt = network.clock.now();
    this.budget = new MemoryBudget(settings.queueBytesMax * BUDGET_QUEUES);
    this.farewells = new Farewells(network.clock);
    this.#events = events;
    this.#trace = trace;
  }

  /** Binds the port. @throws TunnelError ERR_RESOLVE, ERR_UDP_BIND, ERR_LISTEN, ERR_PERMISSION. */
  async open(): Promise<void> {
    const { target, family, role } = this.settings;
    const [address] = await this.network.resolve(target.host, family).catch(failAs("ERR_RESOLVE"));
    const endpoint = { address: address as string, port: target.port };
    const max = this.#sessionsMax();
    try {
      this.#end =
        role === "client"
          ? new SessionClient(this, this.#events, endpoint, max, this.#trace)
          : new SessionServer(this, this.#events, endpoint, max, this.#trace);
    } catch (error) {
      failAs(role === "client" ? "ERR_UDP_BIND" : "ERR_LISTEN")(error);
    }
    this.#events.onListening(this.tcp, this.udp, isGuarded(this.settings));
    this.#scheduleSweep();
  }

  get tcp(): readonly Endpoint[] {
    return this.#end?.listening ?? [];
  }

  get udp(): readonly Endpoint[] {
    return this.#end?.udp ?? [];
  }

  get held(): { outbound: number; inbound: number } {
    const sum = { outbound: 0, inbound: 0 };
    for (const { link } of this.#end?.sessions ?? []) {
      sum.outbound += link.held.outbound;
      sum.inbound += link.held.inbound;
    }
    return sum;
  }

  /** Sessions there are now. */
  get sessions(): number {
    return this.#end?.sessions.size ?? 0;
  }

  gauges(): Gauges {
    const links = [...(this.#end?.sessions ?? [])].map(({ link }) => link);
    const streams = links.map((link) => link.streamStats()).filter((stream) => stream !== undefined);
    return {
      state: this.#state(streams.length > 0),
      uptimeMs: this.network.clock.now() - this.#startedAt,
      sessions: this.sessions,
      queueBytes: links.reduce((bytes, link) => bytes + link.queueBytes, 0),
      kernelDrops: this.#end?.kernelDrops(),
      streams,
    };
  }

  #state(connected: boolean): TunnelState {
    const { phase } = this.#life;
    if (phase !== "running") return phase;
    if (connected) return "connected";
    return this.#end?.serves ? "listening" : "connecting";
  }

  get closed(): Promise<void> {
    return this.#life.over;
  }

  reloadCertificates(): void {
    reloadCertificates(this.network, this.#events);
  }

  close(): Promise<void> {
    return this.#life.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What the limit of open files allows: Bun 1.4.5 spins when `accept` meets EMFILE, so it must not come to that. */
  #sessionsMax(): number {
    const { maxSessions: wanted, role } = this.settings;
    const limit = this.network.descriptorLimit();
    const each = role === "server" ? 2 : 1;
    const sessions = Math.max(1, Math.floor((limit - Math.min(DESCRIPTORS_RESERVED, limit / 2)) / each));
    if (sessions >= wanted) return wanted;
    this.#events.report({ type: "few descriptors", sessions, wanted, limit });
    return sessions;
  }

  /** One timer for all sessions: ends those that have been idle too long, and takes back memory from the others. */
  #scheduleSweep(): void {
    this.#sweep = this.network.clock.after(SWEEP_MS, () => {
      const now = this.network.clock.now();
      const end = this.#end;
      if (end === undefined) return;
      for (const session of [...end.sessions]) {
        const idleMs = now - session.activeAt;
        if (idleMs > session.idleLimitMs) end.end(session, "idle");
        else if (idleMs > SHRINK_IDLE_MS) session.shrink();
      }
      this.#scheduleSweep();
    });
  }

  async #close(): Promise<void> {
    const { clock } = this.network;
    const deadline = clock.now() + CLOSE_MS;
    this.#sweep?.cancel();
    const end = this.#end;
    if (end === undefined) return;
    end.stop();
    while ([...end.sessions].some((session) => session.writing) && clock.now() < deadline) {
      await new Promise<void>((resolve) => void clock.after(CLOSE_POLL_MS, resolve));
    }
    for (const session of [...end.sessions]) end.end(session, "closing");
    end.close();
    await this.farewells.over();
  }
}
