/**
 * Dials TCP connections with `Bun.connect`, in one of three ways:
 *
 *     dialTls       with certificates: the dial succeeds when the handshake succeeds
 *     dialAdopted   on Linux: Bun adopts a socket that is connecting, so that the attempt can be cancelled
 *     dialPortably  on other systems
 */

import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { errorCode, NetError } from "../network.ts";
import type { StreamPort } from "../stream-port.ts";
import type { Dial, DialTarget } from "../stream-transport.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { Certificates } from "../tls/certificates.ts";
import { adopt, BunStreamPort, type TcpSocket, tcpHandlers } from "./stream-port.ts";
import { type TlsSocket, TlsStreamPort, tlsHandlers } from "./tls-stream-port.ts";

/** Dials one address. Without `system`, a cancelled dial may still connect; the connection is then reset. */
export function dial(
  to: DialTarget,
  system: SystemSockets | undefined,
  certificates?: Certificates | undefined,
): Dial {
  if (certificates !== undefined) return dialTls(to, system, certificates);
  return system === undefined ? dialPortably(to) : dialAdopted(to, system);
}

function dialPortably(to: Endpoint): Dial {
  let cancelled = false;
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  const onFailure = (error: unknown) => {
    if (!cancelled) reject(cannotConnect(to, errorCode(error), error));
  };
  Bun.connect<BunStreamPort | undefined>({
    hostname: to.address,
    port: to.port,
    allowHalfOpen: true,
    data: undefined,
    socket: {
      ...tcpHandlers,
      open: (socket) => (cancelled ? void socket.terminate() : resolve(new BunStreamPort(socket, undefined))),
      connectError: (_socket, error) => onFailure(error),
    },
  }).catch(onFailure);
  return {
    stream: promise,
    cancel: () => {
      cancelled = true;
    },
  };
}

/**
 * Bun adopts a socket that is still connecting. Its `open` is called at once and means nothing. The first
 * `drain` means connected, and `close` before that means failed.
 */
function dialAdopted(to: Endpoint, system: SystemSockets): Dial {
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  const begun = system.beginDial(to);
  if ("error" in begun) {
    reject(cannotConnect(to, begun.error));
    return { stream: promise, cancel: () => {} };
  }
  let cancelled = false;
  let terminate = () => {};
  const options = {
    fd: begun.fd,
    allowHalfOpen: true,
    data: undefined,
    socket: {
      ...tcpHandlers,
      open: (socket: TcpSocket) => {
        if (cancelled) return void socket.terminate();
        terminate = () => void socket.terminate();
        const port = new BunStreamPort(socket, system);
        port.receive({
          onChunk: (chunk) => port.connected(resolve).onChunk(chunk), // the peer may send first
          onDrain: () => void port.connected(resolve),
          onEnd: () => port.connected(resolve).onEnd(),
          onClose: (code) => {
            if (!cancelled) reject(cannotConnect(to, code ?? "ECONNRESET"));
          },
        });
      },
    },
  };
  // Bun's types lack `fd` for `connect`. A failure is reported to `close`.
  void Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<BunStreamPort | undefined>);
  return {
    stream: promise,
    cancel: () => {
      cancelled = true;
      terminate();
    },
  };
}

/** `open` means nothing here. A failure of TCP and a failed handshake both fail the dial. */
function dialTls(to: DialTarget, system: SystemSockets | undefined, certificates: Certificates): Dial {
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  const place = system?.beginDial(to) ?? { hostname: to.address, port: to.port };
  if ("error" in place) {
    reject(cannotConnect(to, place.error));
    return { stream: promise, cancel: () => {} };
  }
  let cancelled = false;
  let port: TlsStreamPort | undefined;
  const { session } = certificates;
  const server = `${to.address} ${to.port} ${to.host}`;
  const resumed = session.find(server, Date.now());
  const onTicket = (_socket: TlsSocket, ticket: Buffer) => {
    const certificate = port?.resumableWith;
    if (certificate !== undefined) session.keep(server, ticket, certificate, Date.now());
  };
  const onFailure = (error: unknown) => {
    if (!cancelled) reject(cannotConnect(to, errorCode(error), error));
  };
  const options = {
    ...place,
    allowHalfOpen: true,
    data: undefined,
    tls: certificates.forClient(to.host ?? to.address),
    socket: {
      ...tlsHandlers,
      ...{ session: onTicket }, // Bun's types lack it
      open: (socket: TlsSocket) => {
        if (cancelled) return void socket.terminate();
        port = new TlsStreamPort(socket, system, certificates.termsForClient, (failure) => {
          if (failure === undefined) port?.connected(resolve);
          else onFailure(failure);
        });
        if (resumed !== undefined) port.resumeSession(resumed);
      },
      connectError: (_socket: TlsSocket, error: Error) => onFailure(error),
    },
  };
  const connect = () =>
    Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<TlsStreamPort | undefined>);
  try {
    adopt("fd" in place ? place.fd : undefined, connect).catch(onFailure);
  } catch (error) {
    onFailure(error); // Bun did not accept the certificates
  }
  return {
    stream: promise,
    get tcpConnected() {
      return port?.tcpConnected ?? false;
    },
    cancel: () => {
      cancelled = true;
      port?.terminate();
    },
  };
}

function cannotConnect(to: Endpoint, code: string, cause?: unknown): NetError {
  const reason = cause instanceof NetError ? cause.message : code;
  return new NetError(code, `cannot connect to ${formatEndpoint(to)}: ${reason}`, cause);
}
