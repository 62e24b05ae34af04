/** A connected server and client of one relay. Every measurement starts a new pair. */

import { readFileSync } from "node:fs";
import { BenchProcess, type ProcessCost } from "./process.ts";
import type { Place, Relay } from "./relays.ts";

const READY_MS = 10_000;
/**
 * How long to wait for the connection of a client of which it is unknown whether it connects at its start.
 */
const DIAL_MS = 300;
const POLL_MS = 2;
/** TCP states in /proc/net/tcp (linux/tcp_states.h). */
const ESTABLISHED = "01";
export const LISTEN = "0A";

/** The prefix of a command, such as `ip netns exec NAME`; empty for this host. */
export interface Wrappers {
  server: readonly string[];
  client: readonly string[];
}

export class TunnelPair {
  readonly relay: Relay;
  readonly place: Place;
  readonly server: BenchProcess;
  readonly client: BenchProcess;
  /** Milliseconds from the start of each program until its port is open. */
  readonly serverReadyMs: number;
  readonly clientReadyMs: number;

  private constructor(
    relay: Relay,
    place: Place,
    server: [BenchProcess, number],
    client: [BenchProcess, number],
  ) {
    this.relay = relay;
    this.place = place;
    [this.server, this.serverReadyMs] = server;
    [this.client, this.clientReadyMs] = client;
  }

  /**
   * Starts both sides and waits until they are connected. @throws Error with the last lines of the side that
   * ended.
   */
  static async start(
    relay: Relay,
    place: Place,
    wrappers: Wrappers = HERE,
    extra: readonly string[] = [],
  ): Promise<TunnelPair> {
    const server = await startServer(relay, place, wrappers.server, extra);
    try {
      const client = await startClient(relay, place, wrappers.client, extra);
      return new TunnelPair(relay, place, server, client);
    } catch (error) {
      await server[0].stop();
      throw error;
    }
  }

  /** The cost of both processes so far. */
  cost(): { server: ProcessCost; client: ProcessCost } {
    return { server: this.server.cost(), client: this.client.cost() };
  }

  /** @throws Error with the last lines of a side that has ended. */
  assertAlive(): void {
    for (const side of [this.server, this.client]) if (side.ended) throw new Error(side.lastLines);
  }

  async stop(): Promise<void> {
    await Promise.all([this.client.stop(), this.server.stop()]);
  }
}

const HERE: Wrappers = { server: [], client: [] };

/** Starts a server. @returns the process and the milliseconds until it listened. */
export async function startServer(
  relay: Relay,
  at: Place,
  wrapper: readonly string[],
  extra: readonly string[],
) {
  const command = insertOptions(relay.server(at), extra);
  return await started(`${relay.name} server`, [...wrapper, ...command], (pid) =>
    portIsOpen(pid, "tcp", at.tcpPort, LISTEN),
  );
}

async function startClient(relay: Relay, at: Place, wrapper: readonly string[], extra: readonly string[]) {
  const command = insertOptions(relay.client(at), extra);
  let openedMs: number | undefined;
  return await started(`${relay.name} client`, [...wrapper, ...command], (pid) => {
    if (!portIsOpen(pid, "udp", at.clientPort)) return false;
    openedMs ??= performance.now();
    const mayDial = relay.dialsAtStart ?? performance.now() - openedMs < DIAL_MS;
    return !mayDial || portIsOpen(pid, "tcp", at.tcpPort, ESTABLISHED);
  });
}

/**
 * Whether a port is in use in the network namespace of a process: as local port or, if established, as remote
 * port.
 */
export function portIsOpen(
  pid: number | "self",
  protocol: "tcp" | "udp",
  port: number,
  state?: string,
): boolean {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["", "6"].some((family) => {
    try {
      return readFileSync(`/proc/${pid}/net/${protocol}${family}`, "latin1")
        .split("\n")
        .some((line) => {
          const [, local = "", remote = "", at] = line.trim().split(/\s+/);
          const here = local.endsWith(hex) || (state === ESTABLISHED && remote.endsWith(hex));
          return here && (state === undefined || at === state);
        });
    } catch {
      return false;
    }
  });
}

async function started(
  label: string,
  command: string[],
  ready: (pid: number) => boolean,
): Promise<[BenchProcess, number]> {
  const from = performance.now();
  const process = new BenchProcess(label, command);
  while (!ready(process.pid)) {
    if (process.ended) throw new Error(process.lastLines);
    if (performance.now() - from > READY_MS) {
      await process.stop();
      throw new Error(`${process.lastLines}; not ready after ${READY_MS / 1000} s`);
    }
    await Bun.sleep(POLL_MS);
  }
  return [process, performance.now() - from];
}

/** Inserts options before the last argument, the UDP address, as udptunnel and the original expect. */
function insertOptions(command: string[], extra: readonly string[]): string[] {
  return [...command.slice(0, -1), ...extra, ...command.slice(-1)];
}
