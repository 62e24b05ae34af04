/**
 * A {@link DatagramPort} on `Bun.udpSocket`. {@link SystemSockets} decide which code reads and sends:
 *
 *     without SystemSockets   Bun reads and sends
 *     with them               Bun reads while little arrives, {@link DirectReceive} reads bursts;
 *                             the system's transmitter sends
 *     with `reportLocal`      {@link DirectReceive} reads, and the system's transmitter sends
 */

import { systemClock, type Timer } from "../clock.ts";
import type {
  DatagramPort,
  DatagramPortOptions,
  DatagramReceiver,
  DatagramSender,
  SendObserver,
} from "../datagram-port.ts";
import { type Endpoint, familyOf, formatEndpoint, isAnyAddress } from "../endpoint.ts";
import { errorCode, NetError, systemFailure } from "../network.ts";
import type { DirectReceive, SystemSockets } from "../system-sockets.ts";
import { BatchSender, type SenderSocket } from "../udp/batch-sender.ts";
import type { DatagramBatch, Transmitter } from "../udp/datagram-batch.ts";
import { join, prepareSending } from "../udp/multicast.ts";
import { fdOf } from "./stream-port.ts";

/** Values of Bun's undocumented option `flags` (a test pins them): SO_REUSEADDR and IPV6_V6ONLY. */
const REUSE_ADDRESS = 16;
const IPV6_ONLY = 8;

/** The wait after a full send buffer with {@link SystemSockets}: Bun does not report room then. */
const FULL_RETRY_MS = 1;

type Socket = Bun.udp.Socket<"uint8array">;

export class BunDatagramPort implements DatagramPort, SenderSocket {
  readonly local: Endpoint;
  readonly ready: Promise<void>;
  readonly #settleReady: () => void;
  readonly #socket: Socket;
  readonly #receiver: DatagramReceiver;
  readonly #system: SystemSockets | undefined;
  /** Set with {@link SystemSockets}. Bun must not send on the socket then. */
  readonly #direct: DirectReceive | undefined;
  readonly reportsLocal: boolean;
  readonly #ipv6Only: boolean;
  #awaitingDrain: BatchSender[] = [];
  #fullRetry: Timer | undefined;
  #closed = false;

  /**
   * @param system undefined on systems without {@link SystemSockets}.
   * @param ipv6Only excludes IPv4 from a socket that is bound to all IPv6 addresses.
   * @throws NetError when the address cannot be bound, the group not be joined, or an option not be set.
   */
  constructor(
    options: DatagramPortOptions,
    receiver: DatagramReceiver,
    system: SystemSockets | undefined,
    ipv6Only = false,
  ) {
    this.#receiver = receiver;
    this.#system = system;
    ({ promise: this.ready, resolve: this.#settleReady } = Promise.withResolvers<void>());
    this.#ipv6Only = ipv6Only;
    this.#socket = this.#open(options);
    const fd = fdOf(this.#socket);
    const always = options.reportLocal === true && isAnyAddress(this.#socket.address.address);
    this.#direct = system?.directReceive(fd, receiver, always);
    this.reportsLocal = always && this.#direct !== undefined;
    if (!this.reportsLocal) this.#settleReady();
    try {
      this.#prepare(options, fd);
    } catch (error) {
      this.#socket.close();
      throw systemFailure(error, `cannot set up UDP ${formatEndpoint(options.bind)}`);
    }
    this.local = { address: this.#socket.address.address, port: this.#socket.port };
  }

  sender(target: Endpoint, observer: SendObserver): DatagramSender {
    const system =
      this.#direct && this.#system?.transmitter(this.#direct, target, familyOf(this.local.address));
    const transmitter = system ?? new PortableTransmitter(this.#socket, target);
    return new BatchSender(this, transmitter, observer);
  }

  kernelDrops(): number | undefined {
    return this.#closed ? undefined : this.#direct?.kernelDrops();
  }

  close(): void {
    this.#closed = true;
    this.#settleReady();
    this.#fullRetry?.cancel();
    this.#direct?.close();
    this.#socket.close();
  }

  awaitDrain(sender: BatchSender): void {
    this.#awaitingDrain.push(sender);
    if (this.#direct === undefined) return;
    this.#fullRetry ??= systemClock.after(FULL_RETRY_MS, () => {
      this.#fullRetry = undefined;
      this.#resumeSenders();
    });
  }

  onRefused(): void {
    this.#receiver.onError("ECONNREFUSED");
  }

  #open(options: DatagramPortOptions): Socket {
    const receiver = this.#receiver;
    try {
      // The promise that Bun returns is resolved already; errors of bind are thrown synchronously.
      return Bun.peek(
        Bun.udpSocket({
          hostname: options.bind.address,
          port: options.bind.port,
          binaryType: "uint8array",
          ...{ flags: (options.shared ? REUSE_ADDRESS : 0) | (this.#ipv6Only ? IPV6_ONLY : 0) },
          socket: {
            data: (_socket, payload, port, address) => {
              if (this.#closed) return;
              this.#direct?.onDatagram();
              receiver.onDatagram(payload, port, address);
            },
            drain: () => this.#onDrain(),
            error: (...args: unknown[]) => this.#onError(args[0]),
          },
        }),
      ) as Socket;
    } catch (error) {
      const code = errorCode(error);
      throw new NetError(code, `cannot bind UDP ${formatEndpoint(options.bind)}: ${code}`, error);
    }
  }

  #prepare(options: DatagramPortOptions, fd: number): void {
    const { address } = options.bind;
    const system = this.#system;
    system?.prepareDatagramSocket(fd, options.oneTarget ?? false, this.reportsLocal);
    if (options.broadcast) this.#socket.setBroadcast(true);
    if (options.join) join(this.#socket, address, options.join);
    if (options.multicast) {
      prepareSending(this.#socket, familyOf(address), options.multicast, () =>
        system === undefined ? "ENOTSUP" : system.setMulticastTtl(fd, 0),
      );
    }
  }

  /**
   * Bun 1.4.5 calls `error(error)`, not `error(socket, error)` as in its types; also for exceptions of
   * `data`.
   */
  #onError(error: unknown): void {
    const code = errorCode(error);
    if (this.#direct?.onError(code)) return;
    if (code === "UNKNOWN") throw error;
    this.#receiver.onError(code);
  }

  #onDrain(): void {
    this.#direct?.onFirstDrain();
    this.#settleReady();
    this.#resumeSenders();
  }

  /** Resumes blocked senders in order until one fills the buffer again. The rest come first next time. */
  #resumeSenders(): void {
    const waiting = this.#awaitingDrain;
    if (waiting.length === 0) return;
    this.#awaitingDrain = [];
    for (const [index, sender] of waiting.entries()) {
      sender.resume();
      if (this.#awaitingDrain.length === 0) continue;
      this.#awaitingDrain.unshift(...waiting.slice(index + 1));
      return;
    }
  }
}

/** How many datagrams Bun 1.4.5 sends in one system call. */
const SEND_MANY_DATAGRAMS = 204;

/**
 * Sends each batch with one `sendMany`: at best one system call for every 204 datagrams. Works on any system.
 */
class PortableTransmitter implements Transmitter {
  refusal = "";
  systemCalls = 0;
  readonly #socket: Socket;
  readonly #target: Endpoint;

  constructor(socket: Socket, target: Endpoint) {
    this.#socket = socket;
    this.#target = target;
  }

  transmit(batch: DatagramBatch): number {
    this.refusal = "";
    const packets: (Uint8Array | number | string)[] = [];
    for (let index = batch.from; index < batch.count; index++) {
      packets.push(batch.view(index), this.#target.port, this.#target.address);
    }
    this.systemCalls += Math.ceil((batch.count - batch.from) / SEND_MANY_DATAGRAMS);
    try {
      return this.#socket.sendMany(packets);
    } catch (error) {
      // sendMany throws if the first datagram is refused. For a later one it returns a short count, without a
      // code.
      this.refusal = errorCode(error);
      return 0;
    }
  }

  sendOne(payload: Uint8Array): boolean {
    return this.#socket.send(payload, this.#target.port, this.#target.address);
  }
}
