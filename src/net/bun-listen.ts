/** TCP connections taken with `Bun.listen`. */

import { BunStreamPort, fdOf, handlers } from "./bun-stream-port.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { errorCode, NetError } from "./network.ts";
import { PendingHandshakes } from "./pending-handshakes.ts";
import { secureHandlers } from "./secure-stream-port.ts";
import type { StreamListener, StreamPort } from "./stream-port.ts";
import type { SystemSockets } from "./system-sockets.ts";
import type { Certificates } from "./tls/certificates.ts";

/** Listens on one TCP port. @throws NetError when it cannot be bound. */
export function listenBun(
  at: { address?: string; port: number },
  onStream: (stream: StreamPort) => void,
  system: SystemSockets | undefined,
): StreamListener {
  const listener = listening(at, () =>
    Bun.listen<BunStreamPort | undefined>({
      hostname: at.address ?? ANY,
      port: at.port,
      allowHalfOpen: true,
      data: undefined,
      socket: {
        ...handlers,
        open: (socket) => {
          if (isGone(socket)) socket.terminate();
          else onStream(new BunStreamPort(socket, system));
        },
      },
    }),
  );
  system?.prepareListener(fdOf(listener));
  return {
    local: { address: listener.hostname, port: listener.port },
    close: () => listener.stop(),
  };
}

/** Listens on one TCP port for TLS; when the certificates change, so do those of new connections. */
export function listenBunSecurely(
  at: { address?: string; port: number },
  onStream: (stream: StreamPort) => void,
  onFailure: (remote: Endpoint, failure: NetError) => void,
  system: SystemSockets | undefined,
  certificates: Certificates,
): StreamListener {
  const handshakes = new PendingHandshakes(system, certificates.termsForServer, onStream, onFailure);
  const listen = (place: { fd: number } | { hostname: string; port: number }) => {
    const options = {
      ...place,
      allowHalfOpen: true,
      data: undefined,
      tls: certificates.forServer,
      socket: {
        ...secureHandlers,
        open: (socket: Bun.Socket<undefined>) => {
          if (isGone(socket)) socket.terminate();
          else handshakes.begin(socket);
        },
      },
    };
    return Bun.listen(options as unknown as Bun.TCPSocketListenOptions<undefined>);
  };
  let listener = listening(at, () => listen({ hostname: at.address ?? ANY, port: at.port }));
  system?.prepareListener(fdOf(listener));
  const local = { address: listener.hostname, port: listener.port };
  const forget = certificates.onReload(() => {
    const old = listener;
    const fd = system?.duplicate(fdOf(old));
    // Both descriptors have one queue, so that no connection is lost in between. Without, those in the queue are reset.
    if (fd === undefined) old.stop();
    listener = listening(at, () =>
      listen(fd === undefined ? { hostname: local.address, port: local.port } : { fd }),
    );
    if (fd !== undefined) old.stop();
  });
  return {
    local,
    close: () => {
      forget();
      listener.stop();
      handshakes.stop();
    },
  };
}

/** Every address of this host, IPv4 and IPv6. */
const ANY = "::";

function listening<Listener>(at: { address?: string; port: number }, listen: () => Listener): Listener {
  try {
    return listen();
  } catch (error) {
    const code = errorCode(error);
    const where = formatEndpoint({ address: at.address ?? ANY, port: at.port });
    throw new NetError(code, `cannot listen on TCP ${where}: ${code}`, error);
  }
}

/** A connection that its peer reset before it was accepted has no remote address (accept(2) hands it out all the same). */
function isGone(socket: { readonly remoteAddress: string }): boolean {
  return socket.remoteAddress === undefined;
}
