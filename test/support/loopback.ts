/** Real sockets on this host for tests of whole tunnels: UDP programs and TCP clients without a tunnel. */

import { PATIENCE_MS, until } from "./until.ts";

/** Programs bind this address, and tunnels bind 127.0.0.1, on the same ports. */
export const APP_HOST = "127.0.0.2";
export const TUNNEL_HOST = "127.0.0.1";

/** A UDP port number that was free on this host a moment ago. */
export async function freeUdpPort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: "0.0.0.0" });
  const { port } = socket;
  socket.close();
  return port;
}

/** A TCP port number that was free on this host a moment ago. */
export function freeTcpPort(): number {
  const listener = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

/** A UDP program that stores the datagrams it receives. */
export class UdpApp implements Disposable {
  readonly received: Uint8Array[] = [];
  readonly port: number;
  readonly #socket: Bun.udp.Socket<"uint8array">;

  private constructor(socket: Bun.udp.Socket<"uint8array">, received: Uint8Array[]) {
    this.#socket = socket;
    this.received = received;
    this.port = socket.port;
  }

  static async open(port: number, hostname = APP_HOST): Promise<UdpApp> {
    const received: Uint8Array[] = [];
    const options = {
      hostname,
      port,
      binaryType: "uint8array" as const,
      flags: 16, // SO_REUSEADDR: tunnels bind the same port of 127.0.0.1
      socket: { data: (_socket: unknown, payload: Uint8Array) => void received.push(payload), error() {} },
    };
    return new UdpApp(await Bun.udpSocket(options), received);
  }

  /** Sends to the tunnel on this UDP port. Ignores ICMP refusals of earlier datagrams. */
  send(payload: Uint8Array | string, to = this.port): void {
    for (let tries = 0; tries < 3; tries++) {
      try {
        this.#socket.send(payload, to, TUNNEL_HOST);
        return;
      } catch (error) {
        if ((error as { code?: string }).code !== "ECONNREFUSED") throw error;
      }
    }
  }

  get texts(): string[] {
    return this.received.map((payload) => new TextDecoder().decode(payload));
  }

  async receives(text: string, timeoutMs = PATIENCE_MS): Promise<void> {
    await until(`"${text}" at port ${this.port}`, () => this.texts.includes(text), timeoutMs);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A TCP client that stores the data it receives. */
export interface RawStream extends Disposable {
  readonly socket: Bun.Socket;
  readonly read: Uint8Array[];
  readonly state: { ended: boolean; closed: boolean };
}

export async function connectRaw(port: number): Promise<RawStream> {
  const read: Uint8Array[] = [];
  const state = { ended: false, closed: false };
  const socket = await Bun.connect({
    hostname: TUNNEL_HOST,
    port,
    allowHalfOpen: true,
    socket: {
      data: (_socket, chunk) => void read.push(new Uint8Array(chunk)),
      end: () => void Object.assign(state, { ended: true }),
      close: () => void Object.assign(state, { closed: true }),
      error() {},
    },
  });
  return { socket, read, state, [Symbol.dispose]: () => void socket.terminate() };
}

/** Connects once the server is up, which it does not report without -v. */
export async function connectWhenUp(port: number): Promise<RawStream> {
  for (;;) {
    try {
      return await connectRaw(port);
    } catch {
      await Bun.sleep(5);
    }
  }
}

/** Writes all bytes, waiting for room where needed. */
export async function writeAll(socket: Bun.Socket, bytes: Uint8Array): Promise<void> {
  let written = 0;
  await until("the peer to read", () => {
    if (written < bytes.length) written += Math.max(0, socket.write(bytes, written, bytes.length - written));
    return written === bytes.length;
  });
}
