/** A tunnel with little traffic on real sockets, while hostile clients connect to its server. */

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

/** The number of questions. Each is sent after the answer to the last one. */
export const QUESTIONS = 40;

/** No datagram is dropped for its age, however busy the machine is. */
const PATIENT = { maxDelayMs: 0 };

export class QuietTunnel implements AsyncDisposable {
  readonly server: Tunnel;
  readonly client: Tunnel;
  readonly #send: (payload: string) => void;
  readonly #answers: Set<string>;
  readonly #close: () => void;
  #asked = 0;

  private constructor(
    server: Tunnel,
    client: Tunnel,
    send: (payload: string) => void,
    answers: Set<string>,
    close: () => void,
  ) {
    this.server = server;
    this.client = client;
    this.#send = send;
    this.#answers = answers;
    this.#close = close;
  }

  /** Starts a connected server and client, with a program behind the server that echoes datagrams. */
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
      ...PATIENT,
      ...both,
      ...onServer,
    });
    const [tcp] = server.tcp;
    const client = await startClient({
      connect: { host: TUNNEL_HOST, port: tcp?.port ?? 0 },
      target: perSource ? `${TUNNEL_HOST}/${clientUdp}` : `${APP_HOST}/${clientUdp}`,
      ...(perSource ? {} : { bind: TUNNEL_HOST }),
      ...PATIENT,
      ...both,
      ...onClient,
    });
    const send = (payload: string) => asker.send(payload, clientUdp, TUNNEL_HOST);
    const quiet = new QuietTunnel(server, client, send, answers, () => {
      echo.close();
      asker.close();
    });
    if (!perSource) await until("the client to connect", () => server.counters.connects === 1);
    await quiet.ask();
    return quiet;
  }

  get port(): number {
    return this.server.tcp[0]?.port ?? 0;
  }

  /** Sends questions, and asserts that all are answered. */
  async expectUnharmed(): Promise<void> {
    for (let asked = 0; asked < QUESTIONS; asked++) await this.ask();
    this.expectExact();
  }

  /** Asserts that every datagram is counted and none dropped. */
  expectExact(): void {
    for (const { counters } of [this.server, this.client]) {
      expect(counters.outbound.droppedTotal + counters.inbound.droppedTotal).toBe(0);
    }
    expect(this.client.counters.outbound.sent).toBe(this.#asked);
    expect(this.client.counters.inbound.sent).toBe(this.#asked);
    expect(this.client.counters.connects).toBe(1);
    expectConserved(this.server, this.client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.server.close();
    this.#close();
  }

  /** Sends a question and waits for the answer. @throws Error without an answer. */
  async ask(): Promise<void> {
    const payload = `question ${this.#asked++}`;
    this.#send(payload);
    const deadline = performance.now() + PATIENCE_MS;
    while (!this.#answers.has(payload)) {
      if (performance.now() > deadline) throw new Error(`no answer to ${payload}`);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }
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
