/** Many TCP connections to a server, from clients that send only what a test makes them send. */

import { until } from "../support/until.ts";

/** Connections that are opened at the same time: the listen backlog holds no more. */
const AT_ONCE = 100;

/** One connection. */
export interface RawClient {
  readonly socket: Bun.Socket;
  /** All bytes it has received. */
  readonly read: () => Buffer;
  readonly closed: () => boolean;
}

export class ManyClients implements AsyncDisposable {
  readonly clients: RawClient[] = [];
  readonly #port: number;
  readonly #from: string | undefined;
  #reset = 0;

  /** @param from the loopback address to connect from; undefined lets the system choose. */
  constructor(port: number, from?: string) {
    this.#port = port;
    this.#from = from;
  }

  /** Opens `count` more connections. @returns those that were not reset at once. */
  async connect(count: number): Promise<RawClient[]> {
    const added: RawClient[] = [];
    for (let left = count; left > 0; left -= AT_ONCE) {
      const dials = Array.from({ length: Math.min(AT_ONCE, left) }, () => this.#connectOne());
      for (const dial of await Promise.allSettled(dials)) {
        if (dial.status === "fulfilled") added.push(dial.value);
        else this.#reset++;
      }
    }
    this.clients.push(...added);
    return added;
  }

  /** The number of connections that the server has closed. */
  get closed(): number {
    return this.#reset + this.clients.filter(({ closed }) => closed()).length;
  }

  /** Closes all connections, and waits until they are closed. */
  async close(): Promise<void> {
    for (const { socket } of this.clients) socket.terminate();
    await until("the connections to close", () => this.clients.every(({ closed }) => closed()));
    this.clients.length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #connectOne(): Promise<RawClient> {
    const chunks: Uint8Array[] = [];
    let closed = false;
    const options = {
      hostname: "127.0.0.1",
      port: this.#port,
      // Bun accepts it, but its types lack it. An undefined value would be an invalid address.
      ...(this.#from === undefined ? {} : { localAddress: this.#from }),
      socket: {
        data: (_socket: unknown, chunk: Uint8Array) => void chunks.push(new Uint8Array(chunk)),
        close: () => {
          closed = true;
        },
        error() {},
      },
    };
    const socket = await Bun.connect(options);
    return { socket, read: () => Buffer.concat(chunks), closed: () => closed };
  }
}
