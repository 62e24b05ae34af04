/** A program at one end of a tunnel: sends numbered datagrams at a steady pace and compares what it receives. */

import type { NumberedStream } from "./numbered-stream.ts";

/** SO_REUSEADDR: a tunnel on this host holds the same port on all addresses. */
const REUSE_ADDRESS = 16;

export interface ApplicationOptions {
  /** The address and port it is bound to. */
  readonly address: string;
  readonly port: number;
  /** Where the tunnel takes its datagrams: the same port at this address. */
  readonly tunnelAddress: string;
}

export class Application implements Disposable {
  readonly #options: ApplicationOptions;
  readonly #socket: Bun.udp.Socket<"uint8array">;
  #expected: NumberedStream | undefined;
  #wanted = 0;
  #received = 0;
  #done = Promise.withResolvers<void>();

  private constructor(options: ApplicationOptions) {
    this.#options = options;
    this.#socket = Bun.peek(
      Bun.udpSocket({
        hostname: options.address,
        port: options.port,
        binaryType: "uint8array",
        ...{ flags: REUSE_ADDRESS },
        socket: {
          data: (_socket, payload) => this.#onDatagram(payload),
          error: () => {}, // a tunnel that is not there yet refuses
        },
      }),
    ) as Bun.udp.Socket<"uint8array">;
  }

  static open(options: ApplicationOptions): Application {
    return new Application(options);
  }

  get received(): number {
    return this.#received;
  }

  /** Settles when the first `count` datagrams of a stream have come, in order and byte for byte. @throws at the first that differs. */
  expect(stream: NumberedStream, count: number): Promise<void> {
    this.#expected = stream;
    this.#wanted = count;
    this.#received = 0;
    this.#done = Promise.withResolvers();
    return this.#done.promise;
  }

  /**
   * Sends datagrams number `from` and on, one at a time and never faster than asked, until `isOver` says so.
   *
   * @param isOver asked before each with its number.
   */
  async send(
    stream: NumberedStream,
    from: number,
    perSecond: number,
    isOver: (number: number) => boolean,
  ): Promise<void> {
    const { port, tunnelAddress } = this.#options;
    const intervalMs = 1000 / perSecond;
    let dueAt = performance.now();
    for (let number = from; !isOver(number); ) {
      const now = performance.now();
      if (now < dueAt) {
        await nextTurn();
        continue;
      }
      try {
        if (!this.#socket.send(stream.payload(number), port, tunnelAddress)) {
          await nextTurn(); // the socket's buffer is full
          continue;
        }
      } catch {
        // A tunnel that has ended refuses; whoever waits for the datagram finds out.
      }
      number++;
      dueAt = Math.max(dueAt + intervalMs, now + intervalMs / 2);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #onDatagram(payload: Uint8Array): void {
    if (this.#expected === undefined || this.#received >= this.#wanted) return;
    const expected = this.#expected.payload(this.#received);
    if (Buffer.compare(payload, expected) !== 0) {
      this.#done.reject(new Error(this.#difference(payload, expected)));
      this.#expected = undefined;
      return;
    }
    this.#received++;
    if (this.#received === this.#wanted) this.#done.resolve();
  }

  #difference(payload: Uint8Array, expected: Uint8Array): string {
    const number = payload.length >= 4 ? new DataView(payload.buffer).getUint32(0) : "unknown";
    return `expected datagram ${this.#received} of ${expected.length} bytes, but number ${number} of ${payload.length} came`;
  }
}

/** The next turn of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
