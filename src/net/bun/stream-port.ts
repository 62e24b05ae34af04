/** A {@link StreamPort} on a TCP socket of Bun. */

import { closeSync } from "node:fs";
import type { Endpoint } from "../endpoint.ts";
import { errorCode } from "../network.ts";
import type { StreamGauge, StreamPort, StreamReceiver } from "../stream-port.ts";
import type { SystemSockets } from "../system-sockets.ts";

export type TcpSocket = Bun.Socket<BunStreamPort | undefined>;

/** The handlers of all sockets without TLS. The `data` of each socket is its port. */
export const tcpHandlers: Bun.SocketHandler<BunStreamPort | undefined> = {
  binaryType: "uint8array" as "buffer", // the types of 1.4.5 allow only the default in `listen` and `connect`
  data: (socket, chunk) => socket.data?.receiver.onChunk(chunk),
  drain: (socket) => socket.data?.receiver.onDrain(),
  end: (socket) => socket.data?.receiver.onEnd(),
  close: (socket, error) => socket.data?.receiver.onClose(error && errorCode(error)),
  error: (_socket, error) => {
    throw error; // a handler threw it: a defect of this program, not a failure of the network
  },
};

export class BunStreamPort implements StreamPort {
  receiver: StreamReceiver;
  readonly #socket: TcpSocket;
  readonly #system: SystemSockets | undefined;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;

  /**
   * @param remote the peer, if known: in Bun 1.4.5 a closed socket may have lost its port, or its whole
   *   address.
   */
  constructor(socket: TcpSocket, system: SystemSockets | undefined, remote?: Endpoint) {
    this.#socket = socket;
    this.#system = system;
    this.#remote = remote;
    this.receiver = new EventBuffer();
    socket.data = this;
    if (system !== undefined) system.prepareStream(fdOf(socket));
    else socket.setKeepAlive(true, KEEPALIVE_MS);
  }

  get local(): Endpoint {
    this.#local ??= endpointOf(this.#socket.localAddress, this.#socket.localPort);
    return this.#local ?? UNKNOWN;
  }

  get remote(): Endpoint {
    this.#remote ??= endpointOf(this.#socket.remoteAddress, this.#socket.remotePort);
    return this.#remote ?? UNKNOWN;
  }

  /** The dial has succeeded: resolves it. @returns the receiver of events until the dialer sets its own. */
  connected(resolve: (stream: StreamPort) => void): StreamReceiver {
    const buffer = new EventBuffer();
    this.receiver = buffer;
    resolve(this);
    return buffer;
  }

  receive(receiver: StreamReceiver): void {
    const previous = this.receiver;
    this.receiver = receiver;
    if (previous instanceof EventBuffer) previous.replay(this);
  }

  pushBack(bytes: Uint8Array): void {
    const buffer = new EventBuffer();
    if (bytes.length > 0) buffer.onChunk(bytes);
    this.receiver = buffer;
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

  probeOften(often: boolean): void {
    if (this.#system !== undefined) this.#system.probeOften(fdOf(this.#socket), often);
    else this.#socket.setKeepAlive(true, often ? KEEPALIVE_OFTEN_MS : KEEPALIVE_MS);
  }

  shutdown(): void {
    // `end` and `close` would lose bytes that the kernel has taken, if the peer is still sending.
    this.#socket.shutdown();
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/**
 * Keepalive without {@link SystemSockets}: after this much silence ten probes follow, one second apart. A
 * dead peer is noticed after 15 s.
 */
const KEEPALIVE_MS = 5000;
const KEEPALIVE_OFTEN_MS = 1000;

/** The endpoint of a socket that was closed before it was read, such as one reset in its first tick. */
const UNKNOWN: Endpoint = { address: "::", port: 0 };

/** In Bun 1.4.5 a closed socket keeps an address that was read before, but no port. */
function endpointOf(address: string | undefined, port: number | undefined): Endpoint | undefined {
  return address === undefined || port === undefined ? undefined : { address, port };
}

/** Stores the events of a stream that has no receiver yet. */
class EventBuffer implements StreamReceiver {
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

  /**
   * Passes the events to the port's receiver. An event may replace the receiver; the rest go to the new one.
   */
  replay(port: { readonly receiver: StreamReceiver }): void {
    for (const event of this.#events) event(port.receiver);
  }
}

/** The descriptor of a socket or listener. Bun's types lack it; a test pins it. */
export function fdOf(socket: object): number {
  return (socket as { fd: number }).fd;
}

/** Makes a call by which Bun adopts a descriptor, and closes the descriptor if the call throws. */
export function adopt<Result>(fd: number | undefined, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw error;
  }
}
