/** What the two modes have in common: a tunnel that runs, can be asked how it is, and ends once. */

import type { Link } from "../link/link.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Network } from "../net/network.ts";
import type { StreamTransport } from "../net/stream-transport.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import type { Gauges } from "../observe/stats.ts";
import type { Settings } from "../options/settings.ts";
import { CLOSE_MS } from "./closing.ts";
import { Lifecycle } from "./life.ts";
import { type OpenNetwork, reloadCertificates } from "./open-network.ts";
import type { Trace, Tunnel } from "./tunnel.ts";
import { TunnelEmitter } from "./tunnel-emitter.ts";

export abstract class RunningTunnel extends TunnelEmitter implements Tunnel {
  readonly settings: Settings;
  readonly network: Network;
  readonly transport: StreamTransport;
  readonly counters: Counters;
  readonly events: EventSource;
  protected readonly trace: Trace | undefined;
  readonly #opened: OpenNetwork<Settings>;
  readonly #startedAt: number;
  readonly #life = new Lifecycle(() => this.finish(this.network.clock.now() + CLOSE_MS));

  constructor(opened: OpenNetwork<Settings>, trace: Trace | undefined) {
    super();
    this.#opened = opened;
    this.settings = opened.settings;
    this.network = opened.network;
    this.transport = opened.transport;
    this.counters = opened.counters;
    this.events = opened.events;
    this.trace = trace;
    this.#startedAt = opened.network.clock.now();
  }

  /** Binds every port. @throws TunnelError ERR_RESOLVE, ERR_UDP_BIND, ERR_LISTEN, ERR_PERMISSION. */
  abstract open(): Promise<void>;
  abstract readonly tcp: readonly Endpoint[];
  abstract readonly udp: readonly Endpoint[];
  /** Those there are now. */
  protected abstract readonly links: readonly Link[];
  /** Sessions there are now; 0 in peer mode. */
  abstract readonly sessions: number;
  protected abstract kernelDrops(): number | undefined;
  /** See `TunnelStats`. */
  protected abstract sendFailure(): string | undefined;
  /** How far it is, with so many streams up. */
  protected abstract progress(streams: number): "connected" | "listening" | "connecting";
  /** Lets go of everything. What is queued may be written until `deadline`, on the network's clock. */
  protected abstract finish(deadline: number): Promise<void>;

  get held(): { outbound: number; inbound: number } {
    const sum = { outbound: 0, inbound: 0 };
    for (const { held } of this.links) {
      sum.outbound += held.outbound;
      sum.inbound += held.inbound;
    }
    return sum;
  }

  gauges(): Gauges {
    const { links } = this;
    const streams = links.map((link) => link.streamStats()).filter((stream) => stream !== undefined);
    const { phase } = this.#life;
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

  get closed(): Promise<void> {
    return this.#life.over;
  }

  close(): Promise<void> {
    return this.#life.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  reloadCertificates(): void {
    reloadCertificates(this.#opened);
  }

  /** The tunnel is over. @param error why it failed; undefined when it ended as it should. */
  onOver(error?: Error): void {
    void this.#life.end(error);
  }
}
