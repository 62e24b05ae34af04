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

export class Visitors implements AsyncDisposable {
  readonly strangers: Stranger[] = [];
  readonly #port: number;
  readonly #from: string | undefined;
  #reset = 0;

  /** @param from the loopback address they come from; the system's choice when undefined. */
  constructor(port: number, from?: string) {
    this.#port = port;
    this.#from = from;
  }

  /** Connects this many more; those are returned that were not reset at once. */
  async grow(count: number): Promise<Stranger[]> {
    const fresh: Stranger[] = [];
    for (let left = count; left > 0; left -= AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, left) }, () => this.#connect());
      for (const dial of await Promise.allSettled(some)) {
        if (dial.status === "fulfilled") fresh.push(dial.value);
        else this.#reset++;
      }
    }
    this.strangers.push(...fresh);
    return fresh;
  }

  /** How many of them have been closed by the server. */
  get closed(): number {
    return this.#reset + this.strangers.filter(({ closed }) => closed()).length;
  }

  /** Closes them all, and waits until they are. */
  async leave(): Promise<void> {
    for (const { socket } of this.strangers) socket.terminate();
    await until("the visitors to be gone", () => this.strangers.every(({ closed }) => closed()));
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
