/**
 * The contract for socket features of the operating system that Bun does not offer. `linux/` implements it.
 * Where it is missing, the portable calls of Bun are used, and options that need it are rejected.
 */

import type { DatagramReceiver } from "./datagram-port.ts";
import type { Endpoint, Family } from "./endpoint.ts";
import type { SystemReport } from "./network.ts";
import type { StreamGauge } from "./stream-port.ts";
import type { SystemTransmitter } from "./udp/datagram-batch.ts";

/** Options of all sockets of one tunnel. */
export interface SocketOptions {
  /** The only protocol version to use; both when undefined. */
  readonly family?: Family | undefined;
  /** The traffic class byte of UDP and TCP packets, 0 to 255. */
  readonly tos?: number | undefined;
  /** SO_MARK of every socket on Linux, set before its first packet. */
  readonly mark?: number | undefined;
  /** Local address literals to dial TCP from: the first of the family that is dialled. */
  readonly tcpBind?: readonly string[] | undefined;
  /** A peer that acknowledges nothing for this long counts as dead. */
  readonly deadAfterMs: number;
  /** The size to request for the send and receive buffers of UDP sockets. */
  readonly socketBufferBytes: number;
  /** Whether to use segment offload: many datagrams in one message that the kernel splits. */
  readonly offload: "auto" | "off";
}

/**
 * Reads a UDP socket in turn with Bun: Bun reads while little arrives, this reads bursts. It keeps to the
 * time slice (`time-slice.ts`), and loses, doubles and reorders nothing at a change.
 *
 * Bun must not send on the socket: use a {@link SystemTransmitter}.
 */
export interface DirectReceive {
  /** The descriptor of the socket. While this reads, Bun's descriptor refers to another file. */
  readonly fd: number;
  /** Call this for each datagram that Bun delivers, before it is handled. */
  onDatagram(): void;
  /** Call this in Bun's first `drain`. */
  onFirstDrain(): void;
  /**
   * Call this for every error that Bun reports.
   *
   * @returns whether the error only signalled that the socket is readable. The socket has been read then.
   */
  onError(code: string): boolean;
  /**
   * How many datagrams the kernel has dropped before they could be received; undefined when unknown. An
   * estimate for datagrams that the kernel had merged.
   */
  kernelDrops(): number | undefined;
  /** Returns the socket to Bun permanently. Call this before Bun closes it. */
  close(): void;
}

export interface SystemSockets {
  /** The features that work at this time. */
  readonly report: SystemReport;
  /** Called when {@link report} has changed. */
  onReportChanged: () => void;

  // UDP

  /**
   * Sets up a UDP socket before its first packet: buffers, mark, traffic class, and details of datagrams.
   *
   * @param oneTarget whether to report ICMP errors.
   * @param local whether to report the destination address of each datagram.
   * @throws NetError EPERM when the mark needs a privilege, EMFILE when too few descriptors are left.
   */
  prepareDatagramSocket(fd: number, oneTarget: boolean, local: boolean): void;
  /**
   * Connects a prepared UDP socket, whose mark may choose the route. @throws NetError such as ENETUNREACH.
   */
  connectDatagramSocket(fd: number, to: Endpoint, family: Family): void;
  /** Sets a multicast TTL that Bun rejects. @returns the error code when it failed. */
  setMulticastTtl(fd: number, ttl: number): string | undefined;
  /**
   * Reads a UDP socket of Bun. @param always never lets Bun read, and reports the local address of each
   * datagram.
   */
  directReceive(fd: number, receiver: DatagramReceiver, always: boolean): DirectReceive;
  /** Sends on a UDP socket, whose descriptor may change. */
  transmitter(socket: { readonly fd: number }, target: Endpoint, family: Family): SystemTransmitter;
  /** The index of a network interface, which the kernel never reuses; undefined for an unknown name. */
  interfaceIndex(name: string): number | undefined;

  // TCP

  /** Starts to connect a TCP socket that can be cancelled. @returns its descriptor, or the error code. */
  beginDial(to: Endpoint): { fd: number } | { error: string };
  /**
   * Sets up a TCP listener before its first connection. @throws NetError EPERM if the mark needs a privilege.
   */
  prepareListener(fd: number): void;
  /** Duplicates a listener's descriptor; both share one queue of connections. Undefined when it failed. */
  duplicate(fd: number): number | undefined;
  /** Whether an accepted connection may keep its descriptor: enough others are left. */
  mayAccept(fd: number): boolean;
  /** Sets up a TCP connection, so that a dead peer is noticed in time. */
  prepareStream(fd: number): void;
  /** Sets the keepalive interval: one second if `often`, else that of {@link prepareStream}. */
  probeOften(fd: number, often: boolean): void;
  /** The kernel's figures for a TCP connection; undefined when unknown. Valid until the next call. */
  gauge(fd: number): StreamGauge | undefined;

  // Descriptors

  /** How many files this process may have open; undefined when unknown. */
  descriptorLimit(): number | undefined;
  /** Keeps one descriptor free for `accept` while a listener is open. @returns a function that ends this. */
  watchDescriptors(): () => void;
}
