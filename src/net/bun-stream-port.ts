/** TCP connections on `Bun.connect` and `Bun.listen`. */

import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { errorCode, NetError } from "./network.ts";
import type { Dial, StreamListener, StreamPort, StreamReceiver } from "./stream-port.ts";

type Socket = Bun.Socket<BunStreamPort | undefined>;

/** One set of handlers for all sockets; each socket's `data` is its port. */
const handlers: Bun.SocketHandler<BunStreamPort | undefined> = {
  binaryType: "uint8array" as "buffer", // the types of 1.4.5 know only the default in `listen` and `connect`
  data: (socket, chunk) => socket.data?.receiver.onChunk(chunk),
  drain: (socket) => socket.data?.receiver.onDrain(),
  end: (socket) => socket.data?.receiver.onEnd(),
  close: (socket, error) => socket.data?.receiver.onClose(error && errorCode(error)),
  error: (_socket, error) => {
    throw error; // something thrown in a handler: a fault of ours, not of the network
  },
};

export class BunStreamPort implements StreamPort {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  receiver: StreamReceiver;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.receiver = new EarlyEvents();
    this.local = { address: socket.localAddress, port: socket.localPort };
    this.remote = { address: socket.remoteAddress, port: socket.remotePort };
    socket.data = this;
  }

  receive(receiver: StreamReceiver): void {
    const before = this.receiver;
    this.receiver = receiver;
    if (before instanceof EarlyEvents) before.replay(receiver);
  }

  write(bytes: Uint8Array): number {
    return this.#socket.write(bytes);
  }

  room(): number {
    return Infinity;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  shutdown(): void {
    // Not `end` nor `close`: while the peer is still sending those lose what the kernel had already taken.
    this.#socket.shutdown();
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/** Keeps what happens on a stream before anybody has asked to be told. */
class EarlyEvents implements StreamReceiver {
  readonly #events: ((receiver: StreamReceiver) => void)[] = [];

  onChunk(chunk: Uint8Array): void {
    this.#events.push((receiver) => receiver.onChunk(chunk));
  }

  onDrain(): void {}

  onEnd(): void {
    this.#events.push((receiver) => receiver.onEnd());
  }

  onClose(code: string | undefined): void {
    this.#events.push((receiver) => receiver.onClose(code));
  }

  replay(receiver: StreamReceiver): void {
    for (const event of this.#events) event(receiver);
  }
}

/** Dials one address. */
export function dialBun(to: Endpoint): Dial {
  let cancelled = false;
  const stream = new Promise<StreamPort>((resolve, reject) => {
    const failed = (error: unknown) => {
      const code = errorCode(error);
      if (!cancelled) reject(new NetError(code, `cannot connect to ${formatEndpoint(to)}: ${code}`, error));
    };
    Bun.connect<BunStreamPort | undefined>({
      hostname: to.address,
      port: to.port,
      allowHalfOpen: true,
      data: undefined,
      socket: {
        ...handlers,
        open: (socket) => (cancelled ? void socket.terminate() : resolve(new BunStreamPort(socket))),
        connectError: (_socket, error) => failed(error),
      },
    }).catch(failed);
  });
  return {
    stream,
    cancel: () => {
      cancelled = true;
    },
  };
}

/** Listens on one TCP port. @throws NetError when it cannot be bound. */
export function listenBun(
  at: { address?: string; port: number },
  onStream: (stream: StreamPort) => void,
): StreamListener {
  const hostname = at.address ?? "::";
  try {
    const listener = Bun.listen<BunStreamPort | undefined>({
      hostname,
      port: at.port,
      allowHalfOpen: true,
      data: undefined,
      socket: { ...handlers, open: (socket) => onStream(new BunStreamPort(socket)) },
    });
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
