/** TCP connections made with `Bun.connect`. */

import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { errorCode, NetError } from "../network.ts";
import type { StreamPort } from "../stream-port.ts";
import type { Dial, DialTarget } from "../stream-transport.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { Certificates } from "../tls/certificates.ts";
import { adopt, BunStreamPort, handlers, type Socket } from "./stream-port.ts";
import { type TlsSocket, TlsStreamPort, tlsHandlers } from "./tls-stream-port.ts";

/**
 * Dials one address. With the system's help the attempt can be withdrawn; without, a connection that comes up
 * after it was given up is reset at once, and the server sees it come and go.
 */
export function dial(
  to: DialTarget,
  system: SystemSockets | undefined,
  certificates?: Certificates | undefined,
): Dial {
  if (certificates !== undefined) return dialTls(to, system, certificates);
  return system === undefined ? dialPortably(to) : dialWithdrawably(to, system);
}

function dialPortably(to: Endpoint): Dial {
  let cancelled = false;
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  const failed = (error: unknown) => {
    if (!cancelled) reject(cannotConnect(to, errorCode(error), error));
  };
  Bun.connect<BunStreamPort | undefined>({
    hostname: to.address,
    port: to.port,
    allowHalfOpen: true,
    data: undefined,
    socket: {
      ...handlers,
      open: (socket) => (cancelled ? void socket.terminate() : resolve(new BunStreamPort(socket, undefined))),
      connectError: (_socket, error) => failed(error),
    },
  }).catch(failed);
  return {
    stream: promise,
    cancel: () => {
      cancelled = true;
    },
  };
}

/**
 * Bun adopts a socket that is still connecting: its first `drain` says that it is connected, `close` that it
 * failed.
 */
function dialWithdrawably(to: Endpoint, system: SystemSockets): Dial {
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  const begun = system.beginDial(to);
  if ("error" in begun) {
    reject(cannotConnect(to, begun.error));
    return { stream: promise, cancel: () => {} };
  }
  let cancelled = false;
  let withdraw = () => {};
  const options = {
    fd: begun.fd,
    allowHalfOpen: true,
    data: undefined,
    socket: {
      ...handlers,
      open: (socket: Socket) => {
        if (cancelled) return void socket.terminate();
        withdraw = () => void socket.terminate();
        const port = new BunStreamPort(socket, system);
        port.receive({
          onChunk: (chunk) => port.connected(resolve).onChunk(chunk), // a peer that speaks first
          onDrain: () => void port.connected(resolve),
          onEnd: () => port.connected(resolve).onEnd(),
          onClose: (code) => {
            if (!cancelled) reject(cannotConnect(to, code ?? "ECONNRESET"));
          },
        });
      },
    },
  };
  // The types know no `fd` in `connect`; a failure is told to `close`.
  void Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<BunStreamPort | undefined>);
  return {
    stream: promise,
    cancel: () => {
      cancelled = true;
      withdraw();
    },
  };
}

/**
 * Either way with TLS: `open` means nothing yet, and whether it was TCP or the handshake that failed makes no
 * difference.
 */
function dialTls(to: DialTarget, system: SystemSockets | undefined, certificates: Certificates): Dial {
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  const place = system?.beginDial(to) ?? { hostname: to.address, port: to.port };
  if ("error" in place) {
    reject(cannotConnect(to, place.error));
    return { stream: promise, cancel: () => {} };
  }
  let cancelled = false;
  let port: TlsStreamPort | undefined;
  const failed = (error: unknown) => {
    if (!cancelled) reject(cannotConnect(to, errorCode(error), error));
  };
  const options = {
    ...place,
    allowHalfOpen: true,
    data: undefined,
    tls: certificates.forClient(to.host ?? to.address),
    socket: {
      ...tlsHandlers,
      open: (socket: TlsSocket) => {
        if (cancelled) return void socket.terminate();
        port = new TlsStreamPort(socket, system, certificates.termsForClient, (failure) => {
          if (failure === undefined) port?.connected(resolve);
          else failed(failure);
        });
      },
      connectError: (_socket: TlsSocket, error: Error) => failed(error),
    },
  };
  const connect = () =>
    Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<TlsStreamPort | undefined>);
  try {
    adopt("fd" in place ? place.fd : undefined, connect).catch(failed);
  } catch (error) {
    failed(error); // Bun did not accept the certificates
  }
  return {
    stream: promise,
    get answered() {
      return port?.answered ?? false;
    },
    cancel: () => {
      cancelled = true;
      port?.terminate();
    },
  };
}

function cannotConnect(to: Endpoint, code: string, cause?: unknown): NetError {
  const why = cause instanceof NetError ? cause.message : code;
  return new NetError(code, `cannot connect to ${formatEndpoint(to)}: ${why}`, cause);
}
