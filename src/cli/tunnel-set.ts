/** The tunnels of one process, by name: starts them, applies new plans while others run, and closes them. */

import { type Changes, changesBetween, type TunnelPlan } from "../config/plan.ts";
import { TunnelError } from "../errors.ts";
import type { EventLevel, TunnelEvent } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";
import { type StartExtras, startTunnel } from "../tunnel/start.ts";
import type { Trace, Tunnel } from "../tunnel/tunnel.ts";

/** Receives what happens to the tunnels. */
export interface TunnelSetListener {
  /** A tunnel emitted an event, the first ones while it starts. */
  onEvent(name: string, event: TunnelEvent, level: EventLevel, repeats: number): void;
  /** A tunnel could not start, or ended with an error. */
  onFailed(name: string, error: TunnelError): void;
  /** A tunnel has closed. Its counters can still be read. */
  onRemoved(name: string, tunnel: Tunnel): void;
  /** The function that is called for every datagram of the tunnel, if any. */
  traceOf(name: string): Trace | undefined;
}

/** Starts one tunnel, as `startTunnel` does. */
export type StartTunnel = (settings: Settings, extras: StartExtras) => Promise<Tunnel>;

interface Member {
  readonly settings: Settings;
  readonly tunnel: Tunnel;
}

export class TunnelSet {
  /** Resolves when no tunnel is left. Rejects only with a defect of the program, never with a TunnelError. */
  readonly closed: Promise<void>;
  readonly #end = Promise.withResolvers<void>();
  readonly #members = new Map<string, Member>();
  /** Tunnels that the plans name and that could not start, or failed. */
  readonly #failed = new Set<string>();
  readonly #listener: TunnelSetListener;
  readonly #startTunnel: StartTunnel;
  /** Whether a start or a reload is in progress. The set may be empty for a moment meanwhile. */
  #changing = false;
  #closing = false;

  /** @param start starts one tunnel; tests replace it. */
  constructor(listener: TunnelSetListener, start: StartTunnel = startTunnel) {
    this.#listener = listener;
    this.#startTunnel = start;
    this.closed = this.#end.promise;
  }

  /** The running tunnels, by name. */
  get tunnels(): ReadonlyMap<string, Tunnel> {
    return new Map([...this.#members].map(([name, { tunnel }]) => [name, tunnel]));
  }

  /** Whether a planned tunnel could not start, or failed. False once `close` was called. */
  get failed(): boolean {
    return this.#failed.size > 0 && !this.#closing;
  }

  /**
   * Starts the tunnels one after another. When one cannot start, the started ones are closed, and the rest
   * are not started.
   */
  async start(plans: readonly TunnelPlan[]): Promise<void> {
    await this.#change(async () => {
      for (const plan of plans) {
        if (await this.#open(plan)) continue;
        await this.#closeNamed([...this.#members.keys()]);
        return;
      }
    });
  }

  /**
   * Closes the tunnels that are not planned and starts the planned ones. Unchanged tunnels keep running. A
   * changed tunnel that cannot start is started again with its former settings. Call it only when `start` and
   * every earlier call have settled.
   */
  async reload(plans: readonly TunnelPlan[]): Promise<Changes> {
    const settings = new Map([...this.#members].map(([name, member]) => [name, member.settings]));
    const changes = changesBetween(settings, plans);
    await this.#change(async () => {
      this.#failed.clear();
      // A port may move from one tunnel to another, so all closing tunnels close before any tunnel starts.
      await this.#closeNamed([...changes.removed, ...changes.changed.map(({ name }) => name)]);
      for (const plan of [...changes.changed, ...changes.added]) {
        const former = settings.get(plan.name);
        if (await this.#open(plan)) continue;
        if (former !== undefined) await this.#open({ name: plan.name, settings: former });
      }
    });
    return changes;
  }

  /**
   * Closes all tunnels. `closed` does not wait for a tunnel that is still starting; that tunnel is closed
   * once it has started.
   */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#closeNamed([...this.#members.keys()]);
    this.#settle();
  }

  async #change(work: () => Promise<void>): Promise<void> {
    this.#changing = true;
    await work().catch(this.#end.reject);
    this.#changing = false;
    this.#settle();
  }

  /** @returns false if the tunnel could not start; true also while the set closes and starts nothing. */
  async #open({ name, settings }: TunnelPlan): Promise<boolean> {
    if (this.#closing) return true;
    try {
      const tunnel = await this.#startTunnel(settings, {
        onEvent: (event, level, repeats) => this.#listener.onEvent(name, event, level, repeats),
        trace: this.#listener.traceOf(name),
      });
      this.#add(name, { settings, tunnel });
      if (this.#closing) await this.#closeNamed([name]);
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
    tunnel.closed
      .catch((error) => this.#fail(name, error))
      .then(() => this.#remove(name, tunnel))
      .catch(this.#end.reject);
  }

  #remove(name: string, tunnel: Tunnel): void {
    // A new tunnel may have this name already.
    if (this.#members.get(name)?.tunnel !== tunnel) return;
    this.#members.delete(name);
    this.#listener.onRemoved(name, tunnel);
    this.#settle();
  }

  #fail(name: string, error: unknown): void {
    if (!(error instanceof TunnelError)) throw error;
    this.#failed.add(name);
    this.#listener.onFailed(name, error);
  }

  async #closeNamed(names: readonly string[]): Promise<void> {
    const closing = names.map(async (name) => {
      const tunnel = this.#members.get(name)?.tunnel;
      await tunnel?.close();
      if (tunnel !== undefined) this.#remove(name, tunnel);
    });
    await Promise.all(closing);
  }

  #settle(): void {
    if (this.#members.size === 0 && (this.#closing || !this.#changing)) this.#end.resolve();
  }
}
