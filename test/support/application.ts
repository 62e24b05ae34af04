/**
 * A program at one end of a tunnel. It sends numbered datagrams at a steady rate and compares received ones
 * with them.
 */

import type { NumberedStream } from "./numbered-stream.ts";

/** SO_REUSEADDR: a tunnel on this host uses the same port on all addresses. */
const REUSE_ADDRESS = 16;

export interface ApplicationOptions {
  /** The address and port to bind. */
  readonly address: string;
  readonly port: number;
  /** The address of the tunnel, which uses the same port. */
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
          error: () => {}, // a tunnel that has not started yet rejects datagrams
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

  /**
   * Settles when the first `count` datagrams of a stream have arrived, in order and unchanged. @throws Error
   * at the first that differs.
   */
  expect(stream: NumberedStream, count: number): Promise<void> {
    this.#expected = stream;
    this.#wanted = count;
    this.#received = 0;
    this.#done = Promise.withResolvers();
    return this.#done.promise;
  }

  /**
   * Sends datagrams from number `from` on, at most `perSecond` a second, until `isOver` returns true.
   *
   * @param isOver called with the number of the next datagram.
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
        await nextTick();
        continue;
      }
      try {
        if (!this.#socket.send(stream.payload(number), port, tunnelAddress)) {
          await nextTick(); // the buffer of the socket is full
          continue;
        }
      } catch {
        // A tunnel that has ended rejects datagrams. The receiver notices the loss.
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
    return `expected datagram ${this.#received} of ${expected.length} bytes, received number ${number} of ${payload.length}`;
  }
}

/** Waits for the next tick of the event loop. */
function nextTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
