/** A TCP proxy between client and server that can change the bytes or cut the connection. */

import { TUNNEL_HOST } from "../../support/loopback.ts";

type Writer = Pick<Bun.Socket, "write" | "end">;

/** Returns the bytes to pass on for a chunk, or cuts both connections. */
export type Tamper = (chunk: Buffer, from: "client" | "server") => Buffer | "cut";

export class MiddleMan implements Disposable {
  readonly port: number;
  readonly #listener: Bun.TCPSocketListener<Bun.Socket | undefined>;
  /** By default it passes every chunk on unchanged. */
  tamper: Tamper = (chunk) => chunk;

  /** @param to the server's port. */
  constructor(to: number) {
    this.#listener = Bun.listen<Bun.Socket | undefined>({
      hostname: TUNNEL_HOST,
      port: 0,
      socket: {
        open: (client) => {
          client.pause();
          void Bun.connect({
            hostname: TUNNEL_HOST,
            port: to,
            socket: {
              open: (server) => {
                client.data = server;
                client.resume();
              },
              data: (server, chunk) => this.#pass(chunk, "server", client, server),
              close: () => void client.end(),
              error() {},
            },
          });
        },
        data: (client, chunk) => this.#pass(chunk, "client", client.data as Writer, client),
        close: (client) => void client.data?.end(),
        error() {},
      },
    });
    this.port = this.#listener.port;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }

  /** Test traffic is small. Bytes that one write does not take are lost, and the test fails. */
  #pass(chunk: Buffer, from: "client" | "server", to: Writer, back: Writer): void {
    const passed = this.tamper(chunk, from);
    if (passed === "cut") {
      to.end();
      back.end();
    } else {
      to.write(passed);
    }
  }
}
