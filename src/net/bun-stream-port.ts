/** TCP connections on `Bun.connect` and `Bun.listen`. */

import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { errorCode, NetError } from "./network.ts";
import type { Dial, StreamGauge, StreamListener, StreamPort, StreamReceiver } from "./stream-port.ts";
import type { SystemSockets } from "./system-sockets.ts";

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
  receiver: StreamReceiver;
  readonly #socket: Socket;
  readonly #system: SystemSockets | undefined;
  #remote: Endpoint | undefined;

  constructor(socket: Socket, system: SystemSockets | undefined) {
    this.#socket = socket;
    this.#system = system;
    this.receiver = new EarlyEvents();
    socket.data = this;
    system?.prepareStream(fdOf(socket));
  }

  get local(): Endpoint {
    return { address: this.#socket.localAddress, port: this.#socket.localPort };
  }

  get remote(): Endpoint {
    this.#remote ??= { address: this.#socket.remoteAddress, port: this.#socket.remotePort };
    return this.#remote;
  }

  /** The dial has succeeded: hands the stream out, and returns who is to be told of what happens meanwhile. */
  connected(resolve: (stream: StreamPort) => void): StreamReceiver {
    const early = new EarlyEvents();
    this.receiver = early;
    resolve(this);
    return early;
  }

  receive(receiver: StreamReceiver): void {
    const before = this.receiver;
    this.receiver = receiver;
    if (before instanceof EarlyEvents) before.replay(this);
  }

  unread(bytes: Uint8Array): void {
    const early = new EarlyEvents();
    if (bytes.length > 0) early.onChunk(bytes);
    this.receiver = early;
  }

  write(bytes: Uint8Array): number {
    return this.#socket.write(bytes);
  }

  gauge(): StreamGauge | undefined {
    return this.#system?.gauge(fdOf(this.#socket));
  }

  exportKeyingMaterial(_label: string, _length: number): Uint8Array | undefined {
    return undefined;
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

  /** Tells whoever is the port's receiver by then: one event may set another. */
  replay(port: { readonly receiver: StreamReceiver }): void {
    for (const event of this.#events) event(port.receiver);
  }
}

/**
 * Dials one address. With the system's help the attempt can be withdrawn; without, a connection that comes up after it
 * was given up is reset at once, and the server sees it come and go.
 */
export function dialBun(to: Endpoint, system: SystemSockets | undefined): Dial {
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

/** Bun adopts a socket that is still connecting: its first `drain` says that it is connected, `close` that it failed. */
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

function cannotConnect(to: Endpoint, code: string, cause?: unknown): NetError {
  return new NetError(code, `cannot connect to ${formatEndpoint(to)}: ${code}`, cause);
}

/**
 * Listens on one TCP port.
 *
 * @param at without an address: on all of this host, IPv4 and IPv6, or on IPv4 alone where there is no IPv6.
 * @param ipv6Only keeps IPv4 out when that means all addresses.
 * @throws NetError when it cannot be bound.
 */
export function listenBun(
  at: { address?: string; port: number },
  onStream: (stream: StreamPort) => void,
  system: SystemSockets | undefined,
  ipv6Only = false,
): StreamListener {
  try {
    return listenAt({ address: at.address ?? "::", port: at.port }, onStream, system, ipv6Only);
  } catch (error) {
    const noIpv6 = at.address === undefined && !ipv6Only && errorCode(error) === "EAFNOSUPPORT";
    if (noIpv6) return listenAt({ address: "0.0.0.0", port: at.port }, onStream, system, false);
    throw error;
  }
}

function listenAt(
  at: Endpoint,
  onStream: (stream: StreamPort) => void,
  system: SystemSockets | undefined,
  ipv6Only: boolean,
): StreamListener {
  const options = {
    hostname: at.address,
    port: at.port,
    ipv6Only,
    allowHalfOpen: true,
    data: undefined,
    socket: {
      ...handlers,
      open: (socket: Socket) => {
        // A connection that its peer reset before it was accepted has no remote address (accept(2) hands it out all the same).
        if (socket.remoteAddress === undefined) socket.terminate();
        else onStream(new BunStreamPort(socket, system));
      },
    },
  };
  try {
    const listener = Bun.listen<BunStreamPort | undefined>(options);
    system?.prepareListener(fdOf(listener));
    return {
      local: { address: listener.hostname, port: listener.port },
      close: () => listener.stop(),
    };
  } catch (error) {
    const code = errorCode(error);
    throw new NetError(code, `cannot listen on TCP ${formatEndpoint(at)}: ${code}`, error);
  }
}

/** Bun's sockets and listeners have a descriptor, though its types do not say so (a test pins it). */
function fdOf(socket: object): number {
  return (socket as { fd: number }).fd;
}
