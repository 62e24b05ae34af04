/** Many TCP connections with nobody behind them, and what they can be made to do. */

import { until } from "../support/until.ts";

/** Connections that are being made at once; the listen backlog holds no more. */
const AT_ONCE = 100;

/** One of them. */
export interface Stranger {
  readonly socket: Bun.Socket;
  /** All it has read. */
  readonly read: () => Buffer;
  readonly closed: () => boolean;
}

export class Crowd implements AsyncDisposable {
  readonly strangers: Stranger[] = [];
  readonly #port: number;
  readonly #from: string | undefined;

  /** @param from the loopback address they come from; the system's choice when undefined. */
  constructor(port: number, from?: string) {
    this.#port = port;
    this.#from = from;
  }

  /** Connects this many more. */
  async grow(count: number): Promise<Stranger[]> {
    const fresh: Stranger[] = [];
    while (fresh.length < count) {
      const some = Math.min(AT_ONCE, count - fresh.length);
      fresh.push(...(await Promise.all(Array.from({ length: some }, () => this.#connect()))));
    }
    this.strangers.push(...fresh);
    return fresh;
  }

  get closed(): number {
    return this.strangers.filter(({ closed }) => closed()).length;
  }

  /** Closes them all, and waits until they are. */
  async leave(): Promise<void> {
    for (const { socket } of this.strangers) socket.terminate();
    await until("the crowd to be gone", () => this.closed === this.strangers.length);
    this.strangers.length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  async #connect(): Promise<Stranger> {
    const chunks: Uint8Array[] = [];
    let closed = false;
    const options = {
      hostname: "127.0.0.1",
      port: this.#port,
      // Bun takes it, though its types do not say so; undefined would be no address.
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
