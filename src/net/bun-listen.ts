/** TCP connections taken with `Bun.listen`. */

import { BunStreamPort, fdOf, handlers } from "./bun-stream-port.ts";
import { formatEndpoint } from "./endpoint.ts";
import { errorCode, NetError } from "./network.ts";
import type { StreamListener, StreamPort } from "./stream-port.ts";
import type { SystemSockets } from "./system-sockets.ts";

/** Listens on one TCP port. @throws NetError when it cannot be bound. */
export function listenBun(
  at: { address?: string; port: number },
  onStream: (stream: StreamPort) => void,
  system: SystemSockets | undefined,
): StreamListener {
  const hostname = at.address ?? "::";
  try {
    const listener = Bun.listen<BunStreamPort | undefined>({
      hostname,
      port: at.port,
      allowHalfOpen: true,
      data: undefined,
      socket: {
        ...handlers,
        open: (socket) => {
          // A connection that its peer reset before it was accepted has no remote address (accept(2) hands it out all the same).
          if (socket.remoteAddress === undefined) socket.terminate();
          else onStream(new BunStreamPort(socket, system));
        },
      },
    });
    system?.prepareListener(fdOf(listener));
    return {
      local: { address: listener.hostname, port: listener.port },
      close: () => listener.stop(),
    };
  } catch (error) {
    const code = errorCode(error);
    const where = formatEndpoint({ address: hostname, port: at.port });
    throw new NetError(code, `cannot listen on TCP ${where}: ${code}`, error);
  }
}
