/** Per-source tunnels in a memory network: sources at the client, a target at the server. */

import type { ClientOptions, ServerOptions } from "../../../src/index.ts";
import type { SessionTunnel } from "../../../src/tunnel/session/session-tunnel.ts";
import { MemoryNetwork, type MemoryWire } from "../../support/memory/network.ts";
import {
  CLIENT,
  Scene,
  SERVER,
  SERVER_APP,
  TCP_PORT,
  UDP_PORT,
  type Watched,
} from "../../support/memory-tunnels.ts";
import { text, utf8 } from "../../support/text.ts";

export const SERVER_ENDPOINT = `${SERVER}:${TCP_PORT}`;
const LISTENING = { address: CLIENT, port: UDP_PORT };
const TARGET = { address: SERVER_APP, port: UDP_PORT };

/** A UDP source. Answers arrive at its port. */
export class Source {
  readonly address: string;
  readonly port: number;
  readonly answers: string[] = [];
  readonly #wire: MemoryWire;

  constructor(wire: MemoryWire, address: string, port: number) {
    this.#wire = wire;
    this.address = address;
    this.port = port;
    new MemoryNetwork(wire, address).openDatagramPort(
      { bind: { address, port } },
      { onDatagram: (payload) => this.answers.push(text(payload)), onError() {} },
    );
  }

  send(payload: string | Uint8Array): void {
    this.#wire.inject(this, LISTENING, typeof payload === "string" ? utf8(payload) : payload);
  }
}

/** The target of the server. It answers every datagram with "re " and its text, unless `answers` is false. */
class Target {
  readonly received: { text: string; from: number }[] = [];
  answers = true;
  readonly #wire: MemoryWire;

  constructor(wire: MemoryWire) {
    this.#wire = wire;
    new MemoryNetwork(wire, SERVER_APP).openDatagramPort(
      { bind: TARGET },
      {
        onDatagram: (payload, port) => {
          this.received.push({ text: text(payload), from: port });
          if (this.answers) this.send(port, `re ${text(payload)}`);
        },
        onError() {},
      },
    );
  }

  /** Sends to a session's socket at the server. */
  send(port: number, payload: string | Uint8Array): void {
    this.#wire.inject(
      TARGET,
      { address: SERVER, port },
      typeof payload === "string" ? utf8(payload) : payload,
    );
  }

  get texts(): string[] {
    return this.received.map(({ text }) => text);
  }
}

export type WatchedSessions = Watched & { readonly tunnel: SessionTunnel };

export class SessionScene extends Scene {
  readonly target = new Target(this.wire);

  override async server(options: Partial<ServerOptions> = {}): Promise<WatchedSessions> {
    return (await super.server({ perSource: true, ...options })) as WatchedSessions;
  }

  override async client(options: Partial<ClientOptions> = {}): Promise<WatchedSessions> {
    const target = `${CLIENT}/${UDP_PORT}`;
    return (await super.client({ perSource: true, target, ...options })) as WatchedSessions;
  }

  async both(server: Partial<ServerOptions> = {}, client: Partial<ClientOptions> = {}) {
    return { server: await this.server(server), client: await this.client(client) };
  }

  source(port: number, address = "10.0.2.1"): Source {
    return new Source(this.wire, address, port);
  }

  /** The number of dials so far. */
  get dials(): number {
    return this.wire.dialled.length;
  }

  /** Makes dials fail with this error; "hang" gives no answer, undefined lets them succeed. */
  breakDials(fault: string | undefined): void {
    this.wire.dialFault = () => fault;
  }
}
