/** The part of a tunnel that both modes share: its events, stats and end. A mode adds links and sockets. */

import { EventEmitter } from "node:events";
import type { Link } from "../link/link.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Network } from "../net/network.ts";
import type { StreamTransport } from "../net/stream-transport.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventReporter } from "../observe/event-reporter.ts";
import type { EventLevel, TunnelEvent } from "../observe/events.ts";
import { invokeListener } from "../observe/invoke-listener.ts";
import { type Gauges, statsOf, type TunnelStats } from "../observe/stats.ts";
import type { Settings } from "../options/settings.ts";
import { CLOSE_MS, Lifecycle } from "./closing.ts";
import { type OpenNetwork, reloadCertificates } from "./open-network.ts";
import type { Trace, Tunnel, TunnelEventMap } from "./tunnel.ts";

export abstract class RunningTunnel extends EventEmitter<TunnelEventMap> implements Tunnel {
  readonly settings: Settings;
  readonly network: Network;
  readonly transport: StreamTransport;
  readonly counters: Counters;
  readonly events: EventReporter;
  readonly trace: Trace | undefined;
  readonly #opened: OpenNetwork<Settings>;
  readonly #startedAt: number;
  readonly #lifecycle = new Lifecycle(() => this.finish(this.network.clock.now() + CLOSE_MS));
  /** Events from the time before listeners could be attached; undefined once they have been emitted. */
  #early: [event: TunnelEvent, level: EventLevel][] | undefined = [];

  constructor(opened: OpenNetwork<Settings>, trace: Trace | undefined) {
    super();
    this.setMaxListeners(0); // with the default, the runtime prints a warning at the eleventh listener
    this.#opened = opened;
    this.settings = opened.settings;
    this.network = opened.network;
    this.transport = opened.transport;
    this.counters = opened.counters;
    this.events = opened.events;
    this.trace = trace;
    this.#startedAt = opened.network.clock.now();
    this.events.addListener((event, level) => this.#emitEvent(event, level));
  }

  /** Binds every port. @throws TunnelError ERR_RESOLVE, ERR_UDP_BIND, ERR_LISTEN, ERR_PERMISSION. */
  abstract open(): Promise<void>;
  abstract readonly tcp: readonly Endpoint[];
  abstract readonly udp: readonly Endpoint[];
  /** The current links. */
  protected abstract readonly links: readonly Link[];
  /** The number of current sessions; 0 in peer mode. */
  abstract readonly sessions: number;
  protected abstract kernelDrops(): number | undefined;
  /** See `TunnelStats`. */
  protected abstract sendFailure(): string | undefined;
  /** The state while the tunnel runs. @param streams how many TCP connections are up. */
  protected abstract progress(streams: number): "connected" | "listening" | "connecting";
  /** Releases everything. Queued data may be written until `deadline`, a time of the network's clock. */
  protected abstract finish(deadline: number): Promise<void>;

  get held(): { outbound: number; inbound: number } {
    const sum = { outbound: 0, inbound: 0 };
    for (const { held } of this.links) {
      sum.outbound += held.outbound;
      sum.inbound += held.inbound;
    }
    return sum;
  }

  stats(): TunnelStats {
    return statsOf(this.counters, this.held, this.#gauges());
  }

  get closed(): Promise<void> {
    return this.#lifecycle.closed;
  }

  close(): Promise<void> {
    return this.#lifecycle.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  reloadCertificates(): void {
    reloadCertificates(this.#opened);
  }

  /** Ends the tunnel from inside. @param error why it failed; undefined when it ended as intended. */
  endTunnel(error?: Error): void {
    void this.#lifecycle.end(error);
  }

  /** Emits the early events at the end of this tick, when the caller has attached its listeners. */
  startEmitting(): void {
    this.network.clock.endOfTick(() => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const [event, level] of early) this.#emitEvent(event, level);
    });
  }

  #emitEvent(event: TunnelEvent, level: EventLevel): void {
    if (this.#early !== undefined) this.#early.push([event, level]);
    else invokeListener(() => void (this as EventEmitter).emit(event.type, event, level));
  }

  #gauges(): Gauges {
    const { links } = this;
    const streams = links.map((link) => link.streamStats()).filter((stream) => stream !== undefined);
    const { phase } = this.#lifecycle;
    return {
      state: phase === "running" ? this.progress(streams.length) : phase,
      uptimeMs: this.network.clock.now() - this.#startedAt,
      sessions: this.sessions,
      queueBytes: links.reduce((bytes, link) => bytes + link.queueBytes, 0),
      undeliveredBytes: links.reduce((bytes, link) => bytes + link.undeliveredBytes, 0),
      kernelDrops: this.kernelDrops(),
      sendFailure: this.sendFailure(),
      streams,
    };
  }
}
