/** Tunnels on a network in memory, with a virtual clock, and the programs at both ends. */

import {
  type ClientOptions,
  type EventLevel,
  type ServerOptions,
  startClient,
  startServer,
  type Tunnel,
  type TunnelEvent,
} from "../../src/index.ts";
import { expectConserved } from "./conservation.ts";
import type { MemoryDatagramPort } from "./memory/datagram-port.ts";
import { MemoryNetwork, MemoryWire } from "./memory/network.ts";
import type { MemoryStreamPort } from "./memory/stream-port.ts";
import { utf8 } from "./text.ts";

export const SERVER = "10.0.0.1";
export const CLIENT = "10.0.0.2";
/** The hosts of the programs that communicate through the tunnel. */
export const SERVER_APP = "10.0.1.1";
export const CLIENT_APP = "10.0.1.2";
export const TCP_PORT = 4000;
export const UDP_PORT = 5000;

/** A UDP program in memory. It stores the datagrams it receives. */
export class App {
  readonly received: Uint8Array[] = [];
  readonly port: number;
  readonly #wire: MemoryWire;
  readonly #address: string;

  constructor(wire: MemoryWire, address: string, port = UDP_PORT) {
    this.#wire = wire;
    this.#address = address;
    this.port = port;
    new MemoryNetwork(wire, address).openDatagramPort(
      { bind: { address, port } },
      { onDatagram: (payload) => this.received.push(payload), onError() {} },
    );
  }

  /** Sends from this program's own port to the same port of `host`. */
  send(host: string, payload: Uint8Array | string): void {
    const bytes = typeof payload === "string" ? utf8(payload) : payload;
    const port = { address: this.#address, port: this.port };
    this.#wire.inject(port, { address: host, port: this.port }, bytes);
  }

  get texts(): string[] {
    return this.received.map((payload) => new TextDecoder().decode(payload));
  }
}

/** A tunnel with the events it has emitted. */
export interface Watched {
  readonly tunnel: Tunnel;
  readonly events: TunnelEvent[];
  readonly warnings: TunnelEvent[];
}

export class Scene {
  readonly wire = new MemoryWire();
  readonly clock = this.wire.clock;
  readonly started: Tunnel[] = [];

  async server(options: Partial<ServerOptions> = {}): Promise<Watched> {
    const given = { listen: `${SERVER}/${TCP_PORT}`, target: `${SERVER_APP}/${UDP_PORT}`, ...options };
    return await this.#watch((extras) =>
      startServer(given, { network: new MemoryNetwork(this.wire, SERVER), ...extras }),
    );
  }

  async client(options: Partial<ClientOptions> = {}, address = CLIENT): Promise<Watched> {
    const given = { connect: `${SERVER}/${TCP_PORT}`, target: `${CLIENT_APP}/${UDP_PORT}`, ...options };
    return await this.#watch((extras) =>
      startClient(given, { network: new MemoryNetwork(this.wire, address), ...extras }),
    );
  }

  /** Server, client and both programs, connected. */
  async pair(server: Partial<ServerOptions> = {}, client: Partial<ClientOptions> = {}) {
    const pair = {
      server: await this.server(server),
      client: await this.client(client),
      serverApp: new App(this.wire, SERVER_APP),
      clientApp: new App(this.wire, CLIENT_APP),
    };
    await this.clock.settle();
    return pair;
  }

  /** The newest connection's [dialling end, accepting end]. */
  get stream(): [MemoryStreamPort, MemoryStreamPort] {
    const stream = this.wire.streams.at(-1);
    if (stream === undefined) throw new Error("no connection was made yet");
    return stream;
  }

  /** The UDP socket of a tunnel's host. */
  udp(host: string, port = UDP_PORT): MemoryDatagramPort {
    const found = this.wire.datagramPorts.get(`${host}:${port}`);
    if (found === undefined) throw new Error(`nothing is bound to ${host}:${port}`);
    return found;
  }

  /** Opens a TCP connection to the server from any address, without a tunnel. Records what arrives on it. */
  async connect(from: string, port = TCP_PORT) {
    const observed = {
      chunks: [] as Uint8Array[],
      ended: false,
      closed: false,
      code: undefined as string | undefined,
    };
    const receiver = {
      onChunk: (chunk: Uint8Array) => void observed.chunks.push(chunk),
      onDrain() {},
      onEnd: () => void Object.assign(observed, { ended: true }),
      onClose: (code: string | undefined) => void Object.assign(observed, { closed: true, code }),
    };
    const dial = new MemoryNetwork(this.wire, from).dial({ address: SERVER, port });
    void dial.stream.then((stream) => stream.receive(receiver));
    await this.clock.settle();
    return { stream: await dial.stream, observed };
  }

  /** Closes every tunnel. Checks that every lost datagram is counted and that no timer is left. */
  async end(): Promise<void> {
    expectConserved(...this.started);
    const closings = this.started.map((tunnel) => tunnel.close());
    for (let ms = 0; ms < 1100; ms += 5) await this.clock.advance(5);
    await Promise.all(closings);
    expectConserved(...this.started);
    for (const { held } of this.started)
      if (held.inbound + held.outbound > 0) throw new Error("a closed tunnel still holds datagrams");
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers are left`);
  }

  async #watch(
    start: (extras: { onEvent: (event: TunnelEvent, level: EventLevel) => void }) => Promise<Tunnel>,
  ): Promise<Watched> {
    const events: TunnelEvent[] = [];
    const warnings: TunnelEvent[] = [];
    const tunnel = await start({
      onEvent: (event, level) => {
        events.push(event);
        if (level === "warning") warnings.push(event);
      },
    });
    this.started.push(tunnel);
    return { tunnel, events, warnings };
  }
}
