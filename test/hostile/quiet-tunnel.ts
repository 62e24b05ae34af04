/** A tunnel that somebody uses a little, on real sockets, while others do their worst to its server. */

import { expect } from "bun:test";
import {
  type ClientOptions,
  type ServerOptions,
  startClient,
  startServer,
  type Tunnel,
} from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { APP_HOST, freeUdpPort, TUNNEL_HOST } from "../support/loopback.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

/** How many a median is of, and how long after one the next is due. */
const PINGS = 40;
const PERIOD_MS = 4;

export class QuietTunnel implements AsyncDisposable {
  readonly server: Tunnel;
  readonly client: Tunnel;
  readonly #ask: (payload: string) => void;
  readonly #answers: Set<string>;
  readonly #close: () => void;
  #pings = 0;

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
    onClient: Partial<ClientOptions> = {},
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
      ...onClient,
    });
    const ask = (payload: string) => asker.send(payload, clientUdp, TUNNEL_HOST);
    const quiet = new QuietTunnel(server, client, ask, answers, () => {
      echo.close();
      asker.close();
    });
    if (!perSource) await until("the client to connect", () => server.counters.connects === 1);
    await quiet.#ping();
    return quiet;
  }

  get port(): number {
    return this.server.tcp[0]?.port ?? 0;
  }

  /** The median round trip, from when each was due: what keeps the tunnel busy keeps us from sending, too. */
  async medianMs(): Promise<number> {
    const times: number[] = [];
    for (let due = performance.now(); times.length < PINGS; due += PERIOD_MS) {
      while (performance.now() < due) await turn();
      await this.#ping();
      times.push(performance.now() - due);
    }
    return times.sort((a, b) => a - b)[PINGS >> 1] as number;
  }

  /** Pings through it, and asserts that none was lost. */
  async expectUnharmed(): Promise<void> {
    await this.medianMs();
    this.expectExact();
  }

  /** Asserts that every datagram is accounted for. */
  expectExact(): void {
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

  async #ping(): Promise<void> {
    const payload = `ping ${this.#pings++}`;
    this.#ask(payload);
    const deadline = performance.now() + PATIENCE_MS;
    while (!this.#answers.has(payload)) {
      if (performance.now() > deadline) throw new Error(`no answer to ${payload}`);
      await turn();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
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
