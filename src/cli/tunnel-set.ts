/** The tunnels of one process, by name: started together, exchanged while others run, closed together. */

import { type Changes, changesBetween, type TunnelPlan } from "../config/plan.ts";
import { TunnelError } from "../errors.ts";
import type { EventLevel, TunnelEvent } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";
import { type StartExtras, startTunnel } from "../tunnel/start.ts";
import type { Trace, Tunnel } from "../tunnel/tunnel.ts";

/** Who is told what becomes of the tunnels. */
export interface TunnelSetListener {
  /** Something happened in a tunnel. The first events of one come before `onAdded`. */
  onEvent(name: string, event: TunnelEvent, level: EventLevel, repeats: number): void;
  /** A tunnel could not be started, or has ended because something is wrong. */
  onFailed(name: string, error: TunnelError): void;
  /** A tunnel runs now. */
  onAdded?(name: string, tunnel: Tunnel): void;
  /** A tunnel is over: closed, replaced, or ended by itself. Its counters can still be read. */
  onRemoved?(name: string, tunnel: Tunnel): void;
  /** Who is told of every datagram of the tunnel, if anybody is. */
  traceOf?(name: string): Trace | undefined;
}

/** Starts one tunnel, as `startTunnel` does. */
export type StartTunnel = (settings: Settings, extras: StartExtras) => Promise<Tunnel>;

interface Member {
  readonly settings: Settings;
  readonly tunnel: Tunnel;
}

export class TunnelSet {
  /** Settles when no tunnel is left. Rejects only at a defect, never with a TunnelError. */
  readonly closed: Promise<void>;
  readonly #over = Promise.withResolvers<void>();
  readonly #members = new Map<string, Member>();
  /** Tunnels that were wanted and could not run. */
  readonly #failed = new Set<string>();
  readonly #listener: TunnelSetListener;
  readonly #startTunnel: StartTunnel;
  /** While tunnels are started or exchanged, there may be none for a moment. */
  #changing = false;
  #closing = false;

  /** @param start another way to start a tunnel than the real one, for tests. */
  constructor(listener: TunnelSetListener, start: StartTunnel = startTunnel) {
    this.#listener = listener;
    this.#startTunnel = start;
    this.closed = this.#over.promise;
  }

  /** The tunnels that run, by name. */
  get tunnels(): ReadonlyMap<string, Tunnel> {
    return new Map([...this.#members].map(([name, { tunnel }]) => [name, tunnel]));
  }

  /** Whether a tunnel that was wanted could not run, though nobody has called `close`. */
  get failed(): boolean {
    return this.#failed.size > 0 && !this.#closing;
  }

  /** Starts them all in turn. When one cannot start, those before it are closed again, and the rest are not tried. */
  async start(plans: readonly TunnelPlan[]): Promise<void> {
    await this.#change(async () => {
      for (const plan of plans) {
        if (await this.#open(plan)) continue;
        await this.#closeThose([...this.#members.keys()]);
        return;
      }
    });
  }

  /**
   * Makes those run that are planned, and no others. Unchanged ones are not touched; of a changed one that cannot start, the
   * former is started again. To be called only when `start` and the call before have settled.
   */
  async reload(plans: readonly TunnelPlan[]): Promise<Changes> {
    const settings = new Map([...this.#members].map(([name, member]) => [name, member.settings]));
    const changes = changesBetween(settings, plans);
    await this.#change(async () => {
      this.#failed.clear();
      // A port may pass from one tunnel to another, so all are closed before any is started.
      await this.#closeThose([...changes.removed, ...changes.changed.map(({ name }) => name)]);
      for (const plan of [...changes.changed, ...changes.added]) {
        const former = settings.get(plan.name);
        if (await this.#open(plan)) continue;
        if (former !== undefined) await this.#open({ name: plan.name, settings: former });
      }
    });
    return changes;
  }

  /** Closes them all. `closed` does not wait for what is still being started; that is closed as soon as it runs. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#closeThose([...this.#members.keys()]);
    this.#settle();
  }

  async #change(work: () => Promise<void>): Promise<void> {
    this.#changing = true;
    await work().catch(this.#over.reject);
    this.#changing = false;
    this.#settle();
  }

  /** Whether the tunnel runs now, or need not because all are being closed. */
  async #open({ name, settings }: TunnelPlan): Promise<boolean> {
    if (this.#closing) return true;
    try {
      const tunnel = await this.#startTunnel(settings, {
        onEvent: (event, level, repeats) => this.#listener.onEvent(name, event, level, repeats),
        trace: this.#listener.traceOf?.(name),
      });
      this.#add(name, { settings, tunnel });
      if (this.#closing) await this.#closeThose([name]);
      return true;
    } catch (error) {
      this.#fail(name, error);
      return false;
    }
  }

  #add(name: string, member: Member): void {
    const { tunnel } = member;
    this.#members.set(name, member);
    this.#failed.delete(name);
    this.#listener.onAdded?.(name, tunnel);
    tunnel.closed
      .catch((error) => this.#fail(name, error))
      .then(() => this.#remove(name, tunnel))
      .catch(this.#over.reject);
  }

  #remove(name: string, tunnel: Tunnel): void {
    // It may have been replaced already.
    if (this.#members.get(name)?.tunnel !== tunnel) return;
    this.#members.delete(name);
    this.#listener.onRemoved?.(name, tunnel);
    this.#settle();
  }

  #fail(name: string, error: unknown): void {
    if (!(error instanceof TunnelError)) throw error;
    this.#failed.add(name);
    this.#listener.onFailed(name, error);
  }

  async #closeThose(names: readonly string[]): Promise<void> {
    const closing = names.map(async (name) => {
      const tunnel = this.#members.get(name)?.tunnel;
      await tunnel?.close();
      if (tunnel !== undefined) this.#remove(name, tunnel);
    });
    await Promise.all(closing);
  }

  #settle(): void {
    if (this.#members.size === 0 && (this.#closing || !this.#changing)) this.#over.resolve();
  }
}
