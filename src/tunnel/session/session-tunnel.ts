/** Per-source mode: a link for each session. The client and the server open sessions in different ways. */

import type { Link } from "../../link/link.ts";
import { MemoryBudget } from "../../link/memory-budget.ts";
import { DrainingStreams } from "../../net/close-stream.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { limitsAccess } from "../../options/settings.ts";
import { connectionsMax } from "../access/connection-table.ts";
import { waitUntilFlushed } from "../closing.ts";
import { listenAddressesOf, localAddressesOf } from "../local-bind.ts";
import { RunningTunnel } from "../running-tunnel.ts";
import { wrapNetError } from "../start-errors.ts";
import { Target } from "../target/target.ts";
import type { Session, SessionContext, SessionManager } from "./session.ts";
import { SessionClient } from "./session-client.ts";
import { SessionServer } from "./session-server.ts";

export class SessionTunnel extends RunningTunnel implements SessionContext {
  readonly budget = new MemoryBudget(this.settings.queueBytesMax);
  readonly draining = new DrainingStreams(this.network.clock);
  #manager: SessionManager | undefined;
  #stopSweep: (() => void) | undefined;

  async open(): Promise<void> {
    const { role } = this.settings;
    const openManager = role === "client" ? await this.#client() : await this.#server();
    let manager: SessionManager;
    try {
      manager = openManager(this.#sessionsMax());
    } catch (error) {
      return wrapNetError(role === "client" ? "ERR_UDP_BIND" : "ERR_LISTEN")(error);
    }
    this.#manager = manager;
    await manager.ready;
    this.events.reportListening(this.tcp, this.udp, limitsAccess(this.settings));
    const endIdle = (session: Session) => manager.end(session, "idle");
    this.#stopSweep = manager.sessions.startSweep(this.network.clock, endIdle);
  }

  get tcp(): readonly Endpoint[] {
    return this.#manager?.listening ?? [];
  }

  get udp(): readonly Endpoint[] {
    return this.#manager?.udp ?? [];
  }

  get sessions(): number {
    return this.#manager?.sessions.size ?? 0;
  }

  protected get links(): Link[] {
    return [...(this.#manager?.sessions ?? [])].map(({ link }) => link);
  }

  protected kernelDrops(): number | undefined {
    return this.#manager?.kernelDrops();
  }

  protected sendFailure(): string | undefined {
    return this.#manager?.sendFailure();
  }

  protected progress(streams: number): "connected" | "listening" | "connecting" {
    if (streams > 0) return "connected";
    return this.#manager?.serves ? "listening" : "connecting";
  }

  async #client(): Promise<(max: number) => SessionManager> {
    const { target, family, bind = target.host, bindPort: port = target.port } = this.settings;
    const addresses = await localAddressesOf(this.network, bind, family);
    return (max) => new SessionClient(this, { addresses, port }, max);
  }

  async #server(): Promise<(max: number) => SessionManager> {
    const { target, family, listen, bind } = this.settings;
    const addresses = await listenAddressesOf(this.network, listen?.address, family);
    const from = bind === undefined ? undefined : await localAddressesOf(this.network, bind, family);
    const { network, events, counters } = this;
    const options = { network, events, counters, ...target, family, from };
    const found = await Target.find(options).catch(wrapNetError("ERR_RESOLVE"));
    const listenAt = { addresses, port: listen?.port ?? 0 };
    return (max) => {
      try {
        return new SessionServer(this, found, listenAt, max);
      } catch (error) {
        found.stop();
        throw error;
      }
    };
  }

  /** The number of sessions that both the option and the limit of open files allow. */
  #sessionsMax(): number {
    const { maxSessions: wanted, role } = this.settings;
    const limit = this.transport.descriptorLimit();
    const filesEach = role === "server" ? 2 : 1;
    const sessions = connectionsMax(limit, filesEach);
    if (sessions >= wanted) return wanted;
    this.events.report({ type: "fd limit", sessions, wanted, limit });
    return sessions;
  }

  protected async finish(deadline: number): Promise<void> {
    this.#stopSweep?.();
    const manager = this.#manager;
    if (manager === undefined) return;
    manager.stop();
    for (const { link } of manager.sessions) link.stop();
    const writing = () => [...manager.sessions].some((session) => session.writing);
    await waitUntilFlushed(this.network.clock, writing, deadline);
    for (const session of [...manager.sessions]) manager.end(session, "closing");
    manager.close();
    await this.draining.settled();
  }
}
