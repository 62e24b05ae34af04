/** A UDP socket on `Bun.udpSocket`. */

import { systemClock, type Timer } from "../clock.ts";
import type {
  DatagramPort,
  DatagramPortOptions,
  DatagramReceiver,
  DatagramSender,
  SendObserver,
} from "../datagram-port.ts";
import { type Endpoint, familyOf, formatEndpoint } from "../endpoint.ts";
import { errorCode, NetError, systemFailure } from "../network.ts";
import type { DirectReceive, ReceivePauser, SystemSockets } from "../system-sockets.ts";
import { BatchSender, type SenderSocket } from "../udp/batch-sender.ts";
import type { DatagramBatch, SystemTransmitter, Transmitter } from "../udp/datagram-batch.ts";
import { join, prepareSending } from "../udp/multicast.ts";

/** Bun's undocumented `flags` of a UDP socket: 16 is SO_REUSEADDR (a test pins it), 8 is IPV6_V6ONLY. */
const REUSE_ADDRESS = 16;
const IPV6_ONLY = 8;

const ANY_ADDRESS = ["0.0.0.0", "::"];

/**
 * The wait before a full buffer is tried again, where we send in Bun's place: Bun then does not report room
 * to send.
 */
const FULL_RETRY_MS = 1;

type Socket = Bun.udp.Socket<"uint8array">;

export class BunDatagramPort implements DatagramPort, SenderSocket {
  readonly local: Endpoint;
  readonly ready: Promise<void>;
  readonly #settleReady: () => void;
  readonly #socket: Socket;
  readonly #receiver: DatagramReceiver;
  readonly #system: SystemSockets | undefined;
  readonly #pauser: ReceivePauser | undefined;
  /** The gate, when we read in Bun's place. Bun then does not send either. */
  readonly #direct: DirectReceive | undefined;
  readonly #ipv6Only: boolean;
  #awaitingDrain: BatchSender[] = [];
  /**
   * Bun waits for room to send, and will call `drain`: it does so once for every new socket (a test pins it).
   */
  #writePending = true;
  #fullRetry: Timer | undefined;
  #closed = false;

  /**
   * @param system the operating system's extras, if there are any.
   * @param ipv6Only keeps IPv4 out of a socket that is bound to all IPv6 addresses.
   * @throws NetError when the address cannot be bound, the group not joined, or the socket not be made as
   *   asked.
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
    // Bun's sockets have a descriptor, though its types do not say so (a test pins it).
    const { fd } = this.#socket as unknown as { fd: number };
    if (options.reportLocal && ANY_ADDRESS.includes(this.#socket.address.address))
      this.#direct = system?.directReceive(fd, receiver);
    else this.#settleReady();
    this.#pauser = this.#direct ?? system?.receivePauser(fd);
    try {
      this.#prepare(options);
    } catch (error) {
      this.#bunSocket().close();
      throw systemFailure(error, `cannot set up UDP ${formatEndpoint(options.bind)}`);
    }
    this.local = { address: this.#socket.address.address, port: this.#socket.port };
  }

  get reportsLocal(): boolean {
    return this.#direct !== undefined;
  }

  sender(target: Endpoint, report: SendObserver): DatagramSender {
    const faster = this.#fasterTransmitter(target);
    if (faster && this.#direct) return new BatchSender(this, faster, (one) => faster.sendOne(one), report);
    const sendOne = (payload: Uint8Array) => this.#bunSocket().send(payload, target.port, target.address);
    const transmitter = faster ?? new PortableTransmitter(() => this.#bunSocket(), target);
    return new BatchSender(this, transmitter, sendOne, report);
  }

  kernelDrops(): number | undefined {
    return this.#closed ? undefined : this.#pauser && this.#system?.kernelDrops(this.#pauser.fd);
  }

  close(): void {
    this.#closed = true;
    this.#settleReady();
    this.#fullRetry?.cancel();
    this.#bunSocket().close();
  }

  awaitDrain(sender: BatchSender): void {
    this.#writePending = true;
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
      // Bun throws bind errors synchronously, and returns a promise only for show.
      return Bun.peek(
        Bun.udpSocket({
          hostname: options.bind.address,
          port: options.bind.port,
          binaryType: "uint8array",
          ...{ flags: (options.shared ? REUSE_ADDRESS : 0) | (this.#ipv6Only ? IPV6_ONLY : 0) },
          socket: {
            data: (_socket, payload, port, address) => {
              if (this.#closed) return;
              this.#pauser?.onDatagram(this.#writePending);
              receiver.onDatagram(payload, port, address);
            },
            drain: () => this.#onDrain(),
            error: (...given: unknown[]) => this.#onError(given[0]),
          },
        }),
      ) as Socket;
    } catch (error) {
      const code = errorCode(error);
      throw new NetError(code, `cannot bind UDP ${formatEndpoint(options.bind)}: ${code}`, error);
    }
  }

  #prepare(options: DatagramPortOptions): void {
    const { address } = options.bind;
    if (this.#pauser)
      this.#system?.prepareDatagramSocket(this.#pauser.fd, options.oneTarget ?? false, this.reportsLocal);
    if (options.broadcast) this.#socket.setBroadcast(true);
    if (options.join) join(this.#socket, address, options.join);
    if (options.multicast) {
      prepareSending(this.#socket, familyOf(address), options.multicast, () =>
        this.#pauser === undefined ? "ENOTSUP" : this.#system?.setMulticastTtl(this.#pauser.fd, 0),
      );
    }
  }

  /** The socket as Bun may use it now: to send, to close. */
  #bunSocket(): Socket {
    this.#pauser?.resume();
    return this.#socket;
  }

  /**
   * Bun 1.4.5 calls `error(error)`, not `error(socket, error)` as its types say. What is thrown in `data`
   * comes here too.
   */
  #onError(error: unknown): void {
    const code = errorCode(error);
    if (this.#direct?.onError(code)) return;
    if (code === "UNKNOWN") throw error;
    this.#receiver.onError(code);
  }

  #onDrain(): void {
    this.#writePending = false;
    this.#direct?.onFirstDrain();
    this.#settleReady();
    this.#resumeSenders();
  }

  /** Resumes waiting senders in turn, until one of them fills the buffer again. The rest then come first. */
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

  #fasterTransmitter(target: Endpoint): SystemTransmitter | undefined {
    return this.#pauser && this.#system?.transmitter(this.#pauser, target, familyOf(this.local.address));
  }
}

/** What Bun 1.4.5 hands to the kernel in one system call. */
const SEND_MANY_DATAGRAMS = 204;

/** One `sendMany` for a batch: on any system, one system call for every 204 datagrams at best. */
class PortableTransmitter implements Transmitter {
  refusal = "";
  systemCalls = 0;
  readonly #socket: () => Socket;
  readonly #target: Endpoint;

  constructor(socket: () => Socket, target: Endpoint) {
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
      return this.#socket().sendMany(packets);
    } catch (error) {
      // It throws when the very first datagram is refused; at a later one it returns a short count without a
      // reason.
      this.refusal = errorCode(error);
      return 0;
    }
  }
}
