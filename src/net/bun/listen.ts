/** TCP connections taken with `Bun.listen`. */

import { type Endpoint, formatEndpoint, unmapped } from "../endpoint.ts";
import { errorCode, NetError } from "../network.ts";
import type { StreamPort } from "../stream-port.ts";
import { type AcceptPolicy, ALLOW_ALL, type StreamListener } from "../stream-transport.ts";
import type { SystemSockets } from "../system-sockets.ts";
import type { Certificates } from "../tls/certificates.ts";
import { adopt, BunStreamPort, fdOf, handlers, type Socket } from "./stream-port.ts";
import { TlsAcceptor } from "./tls-accept.ts";
import { type TlsSocket, type TlsStreamPort, tlsHandlers } from "./tls-stream-port.ts";

/**
 * Where to listen; without an address on all of this host, IPv4 and IPv6, or on IPv4 alone where there is no
 * IPv6.
 */
interface Place {
  readonly address?: string;
  readonly port: number;
}

/** What listening takes. */
export interface ListenOptions {
  readonly system: SystemSockets | undefined;
  /** Lets everybody in, when missing. */
  readonly acceptPolicy?: AcceptPolicy | undefined;
  /** Keeps IPv4 out when listening on all addresses. */
  readonly ipv6Only?: boolean;
}

/** Listens on one TCP port. @throws NetError when it cannot be bound. */
export function listen(
  at: Place,
  onStream: (stream: StreamPort) => void,
  { system, acceptPolicy = ALLOW_ALL, ipv6Only = false }: ListenOptions,
): StreamListener {
  const onOpen = (socket: Socket, remote: Endpoint) => onStream(new BunStreamPort(socket, system, remote));
  const listener = listenAnywhere(at, ipv6Only, (place) => {
    const options = {
      ...place,
      ...COMMON,
      socket: { ...handlers, open: guarded(acceptPolicy, system, onOpen) },
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

/** What listening with TLS takes. */
export interface ListenTlsOptions extends ListenOptions {
  readonly certificates: Certificates;
}

/** Listens on one TCP port for TLS; when the certificates change, so do those of new connections. */
export function listenTls(
  at: Place,
  onStream: (stream: StreamPort) => void,
  { system, acceptPolicy = ALLOW_ALL, ipv6Only = false, certificates }: ListenTlsOptions,
): StreamListener {
  const handshakes = new TlsAcceptor(system, certificates.termsForServer, onStream, acceptPolicy);
  const onOpen = (socket: TlsSocket, remote: Endpoint) => handshakes.begin(socket, remote);
  const socket = { ...tlsHandlers, open: guarded(acceptPolicy, system, onOpen) };
  const listenWith = (tls: Certificates["forServer"]) => (place: object) => {
    const options = { ...place, ...COMMON, tls, socket };
    return Bun.listen(options as unknown as Bun.TCPSocketListenOptions<TlsStreamPort | undefined>);
  };
  let tls = certificates.forServer;
  let listener = listenAnywhere(at, ipv6Only, listenWith(tls));
  const unwatch = prepare(listener, system);
  const local = { address: listener.hostname, port: listener.port };
  const forget = certificates.onReload(() => {
    const renewed = certificates.forServer;
    const fd = system?.duplicate(fdOf(listener));
    // Two descriptors share one queue, so that no connection is lost in between.
    if (fd !== undefined) {
      const other = adopt(fd, () => listenAnywhere(local, ipv6Only, () => listenWith(renewed)({ fd })));
      const use = () => {
        listener.stop();
        [listener, tls] = [other, renewed];
      };
      return { use, discard: () => other.stop() };
    }
    if (system !== undefined)
      throw new NetError("EMFILE", `no file descriptor is left for TCP ${formatEndpoint(local)} (ulimit -n)`);
    // Elsewhere a listener at another port shows that the new certificates can be used, before the old
    // listener is stopped. The new one takes its place in the same turn. Connections in the old queue are
    // reset.
    const trial = listenAnywhere({ ...local, port: 0 }, ipv6Only, listenWith(renewed));
    const use = () => {
      trial.stop();
      listener.stop();
      try {
        listener = listenAnywhere(local, ipv6Only, listenWith(renewed));
      } catch (error) {
        listener = listenAnywhere(local, ipv6Only, listenWith(tls));
        throw error;
      }
      tls = renewed;
    };
    return { use, discard: () => trial.stop() };
  });
  return {
    local,
    close: () => {
      forget();
      unwatch?.();
      listener.stop();
      handshakes.stop();
    },
  };
}

/**
 * Stops the listener when it cannot be prepared: a mark, for example, may need a privilege.
 *
 * @returns as {@link SystemSockets.watchDescriptors}.
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

function listenAnywhere<Listener>(
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
 * Bun 1.4.5 does not name the errno when it cannot open the socket at all, without IPv6 (EAFNOSUPPORT) or a
 * descriptor (EMFILE). For a UDP socket at the same address it does.
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
 * Hands on whom the acceptPolicy lets in; the others are reset before their handshake begins. A connection
 * that its peer reset before it was accepted has no remote address (accept(2) hands it out all the same).
 */
function guarded<Data>(
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
