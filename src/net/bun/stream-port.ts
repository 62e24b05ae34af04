/** A TCP connection on a socket of Bun's. */

import { closeSync } from "node:fs";
import type { Endpoint } from "../endpoint.ts";
import { errorCode } from "../network.ts";
import type { StreamGauge, StreamPort, StreamReceiver } from "../stream-port.ts";
import type { SystemSockets } from "../system-sockets.ts";

export type Socket = Bun.Socket<BunStreamPort | undefined>;

/** One set of handlers for all sockets; each socket's `data` is its port. */
export const handlers: Bun.SocketHandler<BunStreamPort | undefined> = {
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
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;

  /**
   * @param remote the peer, when the caller knows it: Bun 1.4.5 may know only the address of a socket that is
   *   gone.
   */
  constructor(socket: Socket, system: SystemSockets | undefined, remote?: Endpoint) {
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
    return this.#local ?? GONE;
  }

  get remote(): Endpoint {
    this.#remote ??= endpointOf(this.#socket.remoteAddress, this.#socket.remotePort);
    return this.#remote ?? GONE;
  }

  /**
   * The dial has succeeded: hands the stream out, and returns who is to be told of what happens meanwhile.
   */
  connected(resolve: (stream: StreamPort) => void): StreamReceiver {
    const early = new EventBuffer();
    this.receiver = early;
    resolve(this);
    return early;
  }

  receive(receiver: StreamReceiver): void {
    const before = this.receiver;
    this.receiver = receiver;
    if (before instanceof EventBuffer) before.replay(this);
  }

  pushBack(bytes: Uint8Array): void {
    const early = new EventBuffer();
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

  probeOften(often: boolean): void {
    if (this.#system !== undefined) this.#system.probeOften(fdOf(this.#socket), often);
    else this.#socket.setKeepAlive(true, often ? KEEPALIVE_OFTEN_MS : KEEPALIVE_MS);
  }

  shutdown(): void {
    // Not `end` nor `close`: while the peer is still sending those lose what the kernel had already taken.
    this.#socket.shutdown();
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/**
 * Where only Bun's own calls serve: after this silence ten probes follow, a second apart (a dead peer: 15 s).
 */
const KEEPALIVE_MS = 5000;
const KEEPALIVE_OFTEN_MS = 1000;

/**
 * What a socket has at either end once it is gone: a connection may be reset in the turn in which it came up.
 */
const GONE: Endpoint = { address: "::", port: 0 };

/** Bun 1.4.5 keeps an address that was asked for before, but no port: either may be missing. */
function endpointOf(address: string | undefined, port: number | undefined): Endpoint | undefined {
  return address === undefined || port === undefined ? undefined : { address, port };
}

/** Keeps what happens on a stream before anybody has asked to be told. */
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

  /** Tells whoever is the port's receiver by then: one event may set another. */
  replay(port: { readonly receiver: StreamReceiver }): void {
    for (const event of this.#events) event(port.receiver);
  }
}

/** Bun's sockets and listeners have a descriptor, though its types do not say so (a test pins it). */
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
