/**
 * Accepts TCP connections with `Bun.listen`. Each one passes these steps:
 *
 * 1. {@link checked}: the accept policy and the limit of descriptors. A rejected connection is reset.
 * 2. With TLS, the handshake (tls-accept.ts).
 * 3. `onStream` gets the connection.
 */

import { type Endpoint, formatEndpoint, unmapped } from "../endpoint.ts";
import { errorCode, NetError } from "../network.ts";
import type { StreamPort } from "../stream-port.ts";
import { type AcceptPolicy, ALLOW_ALL, type StreamListener } from "../stream-transport.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { Certificates } from "../tls/certificates.ts";
import { adopt, BunStreamPort, fdOf, type TcpSocket, tcpHandlers } from "./stream-port.ts";
import { TlsAcceptor } from "./tls-accept.ts";
import { type TlsSocket, type TlsStreamPort, tlsHandlers } from "./tls-stream-port.ts";

/** Without an address, listen on all addresses of this host: IPv4, and IPv6 if the host has it. */
interface Place {
  readonly address?: string;
  readonly port: number;
}

export interface ListenOptions {
  readonly system: SystemSockets | undefined;
  /** By default every address may connect. */
  readonly acceptPolicy?: AcceptPolicy | undefined;
  /** Without an address, listen on IPv6 only. */
  readonly ipv6Only?: boolean;
}

/** Listens on one TCP port. @throws NetError when it cannot be bound. */
export function listen(
  at: Place,
  onStream: (stream: StreamPort) => void,
  { system, acceptPolicy = ALLOW_ALL, ipv6Only = false }: ListenOptions,
): StreamListener {
  const onOpen = (socket: TcpSocket, remote: Endpoint) => onStream(new BunStreamPort(socket, system, remote));
  const listener = listenOn(at, ipv6Only, (place) => {
    const options = {
      ...place,
      ...COMMON,
      socket: { ...tcpHandlers, open: checked(acceptPolicy, system, onOpen) },
    };
    return Bun.listen<BunStreamPort | undefined>(options);
  });
  const unwatch = prepare(listener, system);
  return {
    local: { address: listener.hostname, port: listener.port },
    close: () => {
      unwatch?.();
      listener.stop();
    },
  };
}

export interface ListenTlsOptions extends ListenOptions {
  readonly certificates: Certificates;
}

/** Listens on one TCP port for TLS. After a reload of the certificates, new connections get the new ones. */
export function listenTls(
  at: Place,
  onStream: (stream: StreamPort) => void,
  { system, acceptPolicy = ALLOW_ALL, ipv6Only = false, certificates }: ListenTlsOptions,
): StreamListener {
  const acceptor = new TlsAcceptor(system, certificates.termsForServer, onStream, acceptPolicy);
  const onOpen = (socket: TlsSocket, remote: Endpoint) => acceptor.accept(socket, remote);
  const socket = { ...tlsHandlers, open: checked(acceptPolicy, system, onOpen) };
  const listenWith = (tls: Certificates["forServer"]) => (place: object) => {
    const options = { ...place, ...COMMON, tls, socket };
    return Bun.listen(options as unknown as Bun.TCPSocketListenOptions<TlsStreamPort | undefined>);
  };
  let tls = certificates.forServer;
  let listener = listenOn(at, ipv6Only, listenWith(tls));
  const unwatch = prepare(listener, system);
  const local = { address: listener.hostname, port: listener.port };
  const ignoreReloads = certificates.onReload(() => {
    const renewed = certificates.forServer;
    const fd = system?.duplicate(fdOf(listener));
    // Both descriptors share one queue of connections, so that none is lost during the replacement.
    if (fd !== undefined) {
      const other = adopt(fd, () => listenOn(local, ipv6Only, () => listenWith(renewed)({ fd })));
      const use = () => {
        listener.stop();
        [listener, tls] = [other, renewed];
      };
      return { use, discard: () => other.stop() };
    }
    if (system !== undefined)
      throw new NetError("EMFILE", `no file descriptor is left for TCP ${formatEndpoint(local)} (ulimit -n)`);
    // On other systems, a trial listener on another port checks the new certificates before the old listener
    // is stopped. The new listener replaces it in the same tick. Connections in the old queue are reset.
    const trial = listenOn({ ...local, port: 0 }, ipv6Only, listenWith(renewed));
    const use = () => {
      trial.stop();
      listener.stop();
      try {
        listener = listenOn(local, ipv6Only, listenWith(renewed));
      } catch (error) {
        listener = listenOn(local, ipv6Only, listenWith(tls));
        throw error;
      }
      tls = renewed;
    };
    return { use, discard: () => trial.stop() };
  });
  return {
    local,
    close: () => {
      ignoreReloads();
      unwatch?.();
      listener.stop();
      acceptor.stop();
    },
  };
}

/**
 * Prepares a new listener, and stops it if that fails: a mark, for example, may need a privilege.
 *
 * @returns the result of {@link SystemSockets.watchDescriptors}.
 * @throws NetError
 */
function prepare(listener: { stop(): void }, system: SystemSockets | undefined): (() => void) | undefined {
  try {
    system?.prepareListener(fdOf(listener));
    return system?.watchDescriptors();
  } catch (error) {
    listener.stop();
    throw error;
  }
}

const COMMON = { allowHalfOpen: true, data: undefined };

interface ListenArguments {
  readonly hostname: string;
  readonly port: number;
  readonly ipv6Only: boolean;
}

function listenOn<Listener>(
  { address, port }: Place,
  ipv6Only: boolean,
  listen: (place: ListenArguments) => Listener,
): Listener {
  try {
    return listenAt({ hostname: address ?? "::", port, ipv6Only }, listen);
  } catch (error) {
    const noIpv6 = address === undefined && !ipv6Only && errorCode(error) === "EAFNOSUPPORT";
    if (noIpv6) return listenAt({ hostname: "0.0.0.0", port, ipv6Only: false }, listen);
    throw error;
  }
}

function listenAt<Listener>(place: ListenArguments, listen: (place: ListenArguments) => Listener): Listener {
  try {
    return listen(place);
  } catch (error) {
    const code = codeOf(error, place.hostname);
    const where = formatEndpoint({ address: place.hostname, port: place.port });
    throw new NetError(code, `cannot listen on TCP ${where}: ${code}`, error);
  }
}

/**
 * The code of an error of `Bun.listen`. Bun 1.4.5 reports none when it cannot open a socket at all: without
 * IPv6 (EAFNOSUPPORT) or a free descriptor (EMFILE). Opening a UDP socket at that address gives the code.
 */
function codeOf(error: unknown, address: string): string {
  const code = errorCode(error);
  if (code !== "UNKNOWN") return code;
  try {
    (Bun.peek(Bun.udpSocket({ hostname: address })) as Bun.udp.Socket<"buffer">).close();
    return code;
  } catch (udpError) {
    return errorCode(udpError);
  }
}

/**
 * Wraps `onOpen`: resets each accepted connection that the policy or the limit of descriptors rejects, before
 * any handshake. A connection that its peer reset before accept(2) returned it has no remote address.
 */
function checked<Data>(
  acceptPolicy: AcceptPolicy,
  system: SystemSockets | undefined,
  onOpen: (socket: Bun.Socket<Data>, remote: Endpoint) => void,
): (socket: Bun.Socket<Data>) => void {
  return (socket) => {
    const { remoteAddress: address, remotePort: port } = socket;
    if (address === undefined || port === undefined) return void socket.terminate();
    const remote = { address, port };
    const allowed = acceptPolicy.allows(unmapped(address));
    if (allowed && system?.mayAccept(fdOf(socket)) !== false) return onOpen(socket, remote);
    socket.terminate();
    acceptPolicy.onRejected(remote, allowed ? "fd limit" : "address not allowed");
  };
}
