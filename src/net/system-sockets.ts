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
 * Limits how long Bun reads one UDP socket. It pauses by itself when the socket has used its share of the
 * time slice, and resumes when the rotation reaches the socket again (`time-slice.ts`).
 */
export interface ReceivePauser {
  /** The descriptor of the socket. While paused, Bun's descriptor refers to another socket. */
  readonly fd: number;
  /**
   * Call this for every datagram.
   *
   * @param writePending whether Bun is waiting for room to send. If so, the kernel drops the datagrams that
   *   arrive during the pause and counts them in {@link SystemSockets.kernelDrops}. Otherwise they wait in
   *   the kernel.
   */
  onDatagram(writePending: boolean): void;
  /** Resumes early. Call this before Bun sends on the socket or closes it. */
  resume(): void;
}

/**
 * Reads a UDP socket in place of Bun, to get the local address of each datagram. Bun must not send on the
 * socket then; use a {@link SystemTransmitter}. `resume` returns the socket to Bun permanently.
 */
export interface DirectReceive extends ReceivePauser {
  /** Starts reading. Call this in Bun's first `drain`; Bun reads the datagrams that arrive before. */
  onFirstDrain(): void;
  /**
   * Call this for every error that Bun reports.
   *
   * @returns whether the error only signalled that the socket is readable. The socket has been read then.
   */
  onError(code: string): boolean;
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
  receivePauser(fd: number): ReceivePauser;
  /** Reads a UDP socket in place of Bun; undefined when that is not possible. */
  directReceive(fd: number, receiver: DatagramReceiver): DirectReceive | undefined;
  /** A faster way to send on a UDP socket; undefined when the system has none. */
  transmitter(socket: ReceivePauser, target: Endpoint, family: Family): SystemTransmitter | undefined;
  /** How many datagrams the kernel has dropped before they could be received; undefined when unknown. */
  kernelDrops(fd: number): number | undefined;
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
