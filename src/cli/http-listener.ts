/**
 * HTTP for a few clients. Bun.serve accepts connections without a limit, so node:net accepts them here: one request per
 * connection, at most {@link CONNECTIONS_MAX} connections, and a deadline for each.
 */

import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { PendingLimiter } from "../net/pending-limiter.ts";

/** Connections at once, over all addresses. The sessions' budget of descriptors leaves room for them. */
export const CONNECTIONS_MAX = 8;
/** For a request and its response: Prometheus' default timeout for a scrape. */
const CONNECTION_MS = 10_000;

export class HttpListener {
  readonly #http: ReturnType<typeof createHttpServer>;
  readonly #servers: Server[] = [];
  /** When there is no room, the oldest connection of the address that holds most is closed. */
  readonly #connections = new PendingLimiter<Socket>(
    { max: CONNECTIONS_MAX, perPrefix: CONNECTIONS_MAX },
    (oldest) => this.#end(oldest),
  );

  constructor(onRequest: RequestListener) {
    this.#http = createHttpServer((request, response) => {
      response.setHeader("Connection", "close");
      onRequest(request, response);
    });
    this.#http.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Listens on one more address. @returns the port. @throws the system's error: EADDRINUSE, EADDRNOTAVAIL. */
  async listen(address: string, port: number): Promise<number> {
    const server = createServer((socket) => this.#accept(socket));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ host: address, port }, resolve);
    await promise;
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Closes every listener and connection. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#connections.members) this.#end(socket);
  }

  #accept(socket: Socket): void {
    const { remoteAddress } = socket;
    // The client has reset the connection before it was accepted.
    if (remoteAddress === undefined) return void socket.destroy();
    this.#connections.add(socket, remoteAddress);
    const deadline = setTimeout(() => this.#end(socket), CONNECTION_MS);
    socket.on("close", () => {
      clearTimeout(deadline);
      this.#connections.remove(socket);
    });
    socket.on("error", () => this.#end(socket));
    this.#http.emit("connection", socket);
  }

  #end(socket: Socket): void {
    this.#connections.remove(socket);
    socket.destroy();
  }
}
