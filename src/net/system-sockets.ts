/**
 * What the operating system offers beyond Bun's own calls. `linux/` keeps it; where there is none, the portable way
 * is taken, and the options that need it are refused.
 */

import type { DatagramReceiver } from "./datagram-port.ts";
import type { Endpoint, Family } from "./endpoint.ts";
import type { SystemReport } from "./network.ts";
import type { StreamGauge } from "./stream-port.ts";
import type { SystemTransmitter } from "./udp/datagram-batch.ts";

/** What all sockets of one tunnel have in common. */
export interface SocketOptions {
  /** The only protocol to use; both when undefined. */
  readonly family?: Family | undefined;
  /** The traffic class byte of UDP and TCP packets, 0 to 255. */
  readonly tos?: number | undefined;
  /** Linux SO_MARK of every socket, before its first packet. */
  readonly mark?: number | undefined;
  /** The local address literals TCP is dialled from: the first of the family that is dialled. */
  readonly tcpBind?: readonly string[] | undefined;
  /** A peer that answers nothing for this long is dead, in milliseconds. */
  readonly deadAfterMs: number;
  /** What UDP sockets ask for as receive and send buffers. */
  readonly socketBufferBytes: number;
  /** Whether datagrams may be handed to the kernel in segments of one large send. */
  readonly offload: "auto" | "off";
}

/**
 * Between Bun and one UDP socket. It closes by itself when the socket has used its share of the process's time slice,
 * and opens when the rotation comes to it (`time-slice.ts`).
 */
export interface ReceivePauser {
  /** The socket's descriptor. While the gate is closed, the one that Bun knows leads elsewhere. */
  readonly fd: number;
  /**
   * To be told of every datagram.
   *
   * @param writePending whether Bun waits for room to send: what arrives while the gate is closed is then dropped by the
   * kernel, and counted among the socket's drops. Else it waits there.
   */
  onDatagram(writePending: boolean): void;
  /** Opens it before its time: needed before Bun itself sends on the socket or closes it. */
  open(): void;
}

/**
 * Reads a UDP socket in Bun's place, to learn the local address of each datagram. Bun must not send on the socket: only
 * a {@link SystemTransmitter} may. `open` gives the socket back to Bun for good.
 */
export interface DirectReceive extends ReceivePauser {
  /** Call it in Bun's first `drain`: reading begins. Bun reads the datagrams that arrive before. */
  onFirstDrain(): void;
  /**
   * Call it with every error that Bun reports.
   *
   * @returns whether it only meant that the socket was readable; it is read.
   */
  onError(code: string): boolean;
}

export interface SystemSockets {
  /** What it can do and cannot, now. */
  readonly report: SystemReport;
  /** Called when the report has changed. */
  onReportChanged: () => void;
  /**
   * Sets up a UDP socket before its first packet: buffers, mark, traffic class, what is told with each datagram.
   *
   * @param oneTarget whether ICMP refusals shall be reported.
   * @param local whether the kernel reports to which address each datagram was sent.
   * @throws NetError EPERM when the mark needs a privilege, EMFILE when too few descriptors are left.
   */
  prepareDatagramSocket(fd: number, oneTarget: boolean, local: boolean): void;
  /** Connects a UDP socket that is prepared, since its mark may choose the route. @throws NetError such as ENETUNREACH. */
  connectDatagramSocket(fd: number, to: Endpoint, family: Family): void;
  /** Sets a multicast TTL that Bun refuses; undefined, or the errno name. */
  setMulticastTtl(fd: number, ttl: number): string | undefined;
  /** A gate that keeps Bun from reading a UDP socket for too long. */
  receivePauser(fd: number): ReceivePauser;
  /** Reads a UDP socket in Bun's place; undefined when that is not possible. */
  directReceive(fd: number, receiver: DatagramReceiver): DirectReceive | undefined;
  /** A faster way to send on a UDP socket; undefined when there is none. */
  transmitter(socket: ReceivePauser, target: Endpoint, family: Family): SystemTransmitter | undefined;
  /** Sets up a TCP listener before its first connection. @throws NetError EPERM when the mark needs a privilege. */
  prepareListener(fd: number): void;
  /** Keeps a descriptor free for `accept` while something listens. @returns a function that ends it. */
  watchDescriptors(): () => void;
  /** Another descriptor of the same listener, with the same queue of connections; undefined when there is none to be had. */
  duplicate(fd: number): number | undefined;
  /** Whether an accepted connection may keep this descriptor: enough others are left. */
  mayAccept(fd: number): boolean;
  /** Sets up a TCP connection: how soon a dead peer is noticed. */
  prepareStream(fd: number): void;
  /** Makes the kernel probe a TCP connection's silent peer every second, or as {@link prepareStream} has set it up. */
  probeOften(fd: number, often: boolean): void;
  /** Begins to connect a TCP socket that can still be given up; its descriptor, or the errno name. */
  beginDial(to: Endpoint): { fd: number } | { error: string };
  /** The index of a network interface, which the kernel does not reuse; undefined when there is none of this name. */
  interfaceIndex(name: string): number | undefined;
  /** How many files this process may have open; undefined when the system does not say. */
  descriptorLimit(): number | undefined;
  /** Datagrams the kernel dropped before we could receive them, for want of room; undefined when it does not say. */
  kernelDrops(fd: number): number | undefined;
  /** What the kernel knows of a TCP connection; undefined when it does not say. Borrowed until the next call. */
  gauge(fd: number): StreamGauge | undefined;
}
