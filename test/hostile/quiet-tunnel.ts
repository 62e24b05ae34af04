/** A tunnel that somebody uses a little, on real sockets, while others do their worst to its server. */

import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import {
  type ClientOptions,
  type ServerOptions,
  startClient,
  startServer,
  type Tunnel,
} from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { APP_HOST, freeUdpPort, TUNNEL_HOST } from "../support/loopback.ts";
import { until } from "../support/until.ts";

const PINGS = 30;
/** A median may grow this much beside a crowd, and by a scheduling delay on a busy machine. */
const TIMES_MAX = 10;
const SCHEDULING_MS = 10;

export class QuietTunnel implements AsyncDisposable {
  readonly server: Tunnel;
  readonly client: Tunnel;
  readonly #ask: (payload: string) => void;
  readonly #answers: Set<string>;
  readonly #close: () => void;
  #pings = 0;
  #alone = 0;

  private constructor(
    server: Tunnel,
    client: Tunnel,
    ask: (payload: string) => void,
    answers: Set<string>,
    close: () => void,
  ) {
    this.server = server;
    this.client = client;
    this.#ask = ask;
    this.#answers = answers;
    this.#close = close;
  }

  /** Server and client, connected, with a program behind the server that sends back what it gets. */
  static async open(
    both: Partial<ServerOptions & ClientOptions>,
    onServer: Partial<ServerOptions> = {},
  ): Promise<QuietTunnel> {
    const [serverUdp, clientUdp] = [await freeUdpPort(), await freeUdpPort()];
    const echo = await openSocket(APP_HOST, serverUdp, (socket, payload, port, from) => {
      socket.send(payload, port, from);
    });
    const answers = new Set<string>();
    const asker = await openSocket(APP_HOST, clientUdp, (_socket, payload) =>
      answers.add(payload.toString()),
    );
    const { perSource = false } = both;
    const server = await startServer({
      listen: { address: TUNNEL_HOST, port: 0 },
      target: `${APP_HOST}/${serverUdp}`,
      bind: TUNNEL_HOST,
      ...both,
      ...onServer,
    });
    const [tcp] = server.tcp;
    const client = await startClient({
      connect: { host: TUNNEL_HOST, port: tcp?.port ?? 0 },
      target: perSource ? `${TUNNEL_HOST}/${clientUdp}` : `${APP_HOST}/${clientUdp}`,
      ...(perSource ? {} : { bind: TUNNEL_HOST }),
      ...both,
    });
    const ask = (payload: string) => asker.send(payload, clientUdp, TUNNEL_HOST);
    const quiet = new QuietTunnel(server, client, ask, answers, () => {
      echo.close();
      asker.close();
    });
    if (!perSource) await until("the client to connect", () => server.counters.connects === 1);
    await quiet.#ping();
    quiet.#alone = await quiet.#median();
    return quiet;
  }

  get port(): number {
    return this.server.tcp[0]?.port ?? 0;
  }

  /** Asserts that it is as quick as it was alone, roughly, and that every datagram is accounted for. */
  async expectUnharmed(): Promise<void> {
    const beside = await this.#median();
    expect(beside).toBeLessThan(this.#alone * TIMES_MAX + SCHEDULING_MS);
    for (const { counters } of [this.server, this.client]) {
      expect(counters.outbound.droppedTotal + counters.inbound.droppedTotal).toBe(0);
    }
    expect(this.client.counters.outbound.sent).toBe(this.#pings);
    expect(this.client.counters.inbound.sent).toBe(this.#pings);
    expect(this.client.counters.connects).toBe(1);
    expectConserved(this.server, this.client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.close();
    this.#close();
  }

  async #median(): Promise<number> {
    const times: number[] = [];
    for (let index = 0; index < PINGS; index++) times.push(await this.#ping());
    return times.sort((a, b) => a - b)[PINGS >> 1] as number;
  }

  async #ping(): Promise<number> {
    const payload = `ping ${this.#pings++}`;
    const start = performance.now();
    this.#ask(payload);
    const deadline = start + 4000;
    while (!this.#answers.has(payload)) {
      if (performance.now() > deadline) throw new Error(`no answer to ${payload}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return performance.now() - start;
  }
}

/** How many files this process, or another, has open; Linux (proc(5)). */
export function openFiles(pid: number | "self" = "self"): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function openSocket(
  hostname: string,
  port: number,
  onData: (socket: Bun.udp.Socket<"buffer">, payload: Buffer, port: number, from: string) => void,
): Promise<Bun.udp.Socket<"buffer">> {
  const options = {
    hostname,
    port,
    flags: 16, // SO_REUSEADDR: a tunnel binds the same port of another address
    socket: { data: onData, error() {} },
  };
  return Bun.udpSocket(options);
}
