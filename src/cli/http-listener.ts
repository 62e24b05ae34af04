/**
 * HTTP for a few clients: one request per connection, at most {@link CONNECTIONS_MAX} connections, and a
 * deadline for each. Bun.serve accepts connections without a limit, so node:net accepts them here.
 */

import { createServer as createHttpServer, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, isIP, type Server, type Socket } from "node:net";
import { isLoopback } from "../net/endpoint.ts";
import { PendingLimiter } from "../net/pending-limiter.ts";

/** Connections at once, over all addresses. The sessions' budget of file descriptors leaves room for them. */
export const CONNECTIONS_MAX = 8;
/** For a request and its response: Prometheus' default timeout for a scrape. */
const CONNECTION_MS = 10_000;

/** The host and an optional port of a Host header (RFC 9110, section 7.2). */
const HOST = /^(\[[^\]]*\]|[^:@/\s]*)(?::\d*)?$/;

export interface Answer {
  /** Default: 200. */
  readonly status?: number;
  /** The media type. Default: plain text. */
  readonly type?: string;
  readonly text: string;
}

export class HttpListener {
  readonly #http: ReturnType<typeof createHttpServer>;
  readonly #servers: Server[] = [];
  /** When full, evicts the oldest connection of the address that has the most. */
  readonly #connections = new PendingLimiter<Socket>(
    { max: CONNECTIONS_MAX, perPrefix: CONNECTIONS_MAX },
    (oldest) => this.#close(oldest),
  );

  /** @param name the host that the user gave for this listener: it is allowed in the Host header. */
  constructor(onRequest: RequestListener, name?: string) {
    this.#http = createHttpServer((request, response) => {
      response.setHeader("Connection", "close");
      if (isAllowedHost(request.headers.host, request.socket.localAddress, name))
        onRequest(request, response);
      else
        respond(response, { status: 403, text: "this Host is not allowed: use localhost or the address\n" });
    });
    this.#http.on("clientError", (_error, socket) => socket.destroy());
  }

  /**
   * Listens on one more address.
   *
   * @returns the port.
   * @throws the system's error: EADDRINUSE, EADDRNOTAVAIL.
   */
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
    for (const socket of this.#connections.members) this.#close(socket);
  }

  #accept(socket: Socket): void {
    const { remoteAddress } = socket;
    // Undefined when the client reset the connection before it was accepted.
    if (remoteAddress === undefined) return void socket.destroy();
    this.#connections.add(socket, remoteAddress);
    const deadline = setTimeout(() => this.#close(socket), CONNECTION_MS);
    socket.on("close", () => {
      clearTimeout(deadline);
      this.#connections.remove(socket);
    });
    socket.on("error", () => this.#close(socket));
    this.#http.emit("connection", socket);
  }

  #close(socket: Socket): void {
    this.#connections.remove(socket);
    socket.destroy();
  }
}

export function respond(
  response: ServerResponse,
  { status = 200, type = "text/plain; charset=utf-8", text }: Answer,
): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

/**
 * Whether to answer a request with this Host header. The check protects listeners on loopback from web pages:
 * with DNS rebinding, a page's own name resolves to 127.0.0.1, and the visitor's browser lets the page read
 * the answer. The Host header still has the page's name.
 *
 * At other addresses than loopback any host is allowed, because the names of this host are unknown here. A
 * missing header is allowed: browsers always send one, and probes in HTTP/1.0 do not.
 *
 * @param localAddress the address that the connection was made to.
 * @param name the host that the user gave for the listener.
 */
export function isAllowedHost(
  header: string | undefined,
  localAddress: string | undefined,
  name: string | undefined,
): boolean {
  if (header === undefined || localAddress === undefined || !isLoopback(localAddress)) return true;
  const host = HOST.exec(header)?.[1]
    ?.toLowerCase()
    .replace(/^\[(.*)\]$/, "$1");
  if (host === undefined) return false;
  return host === "localhost" || host === name?.toLowerCase() || (isIP(host) !== 0 && isLoopback(host));
}
