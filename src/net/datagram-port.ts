/**
 * The contract of a UDP socket, as the tunnel sees it. `bun/datagram-port.ts` implements it with `Bun.udpSocket`,
 * tests have a twin in memory.
 */

import type { Endpoint } from "./endpoint.ts";

/** Receives what comes out of a UDP socket. */
export interface DatagramReceiver {
  /**
   * One datagram has arrived.
   *
   * @param payload its bytes, 0 to 65,527. Borrowed until return.
   * @param port the source's port.
   * @param address the source's address literal; IPv4 in its v4-mapped form on a dual-stack socket.
   * @param local the address it was sent to, on a port that {@link DatagramPort.reportsLocal}; undefined when answers
   * cannot leave from it, such as a group.
   */
  onDatagram(payload: Uint8Array, port: number, address: string, local?: LocalAddress): void;
  /**
   * The operating system reported an error that belongs to no call: mostly ICMP's answer to a datagram sent earlier,
   * ECONNREFUSED when nobody listens there. The socket lives on.
   */
  onError(code: string): void;
}

/**
 * A local address that a datagram was sent to. In most cases the same address is the same object, so that comparing
 * objects shows whether it changed.
 */
export interface LocalAddress {
  readonly address: string;
}

/** What a UDP socket shall be like. */
export interface DatagramPortOptions {
  /** Where to bind: an address literal and a port, 0 for a passing one. */
  readonly bind: Endpoint;
  /** Lets other sockets bind the same port on other addresses of this host (SO_REUSEADDR). */
  readonly shared?: boolean;
  /** If the socket is bound to all addresses, report to which one each datagram was sent, if the system can. */
  readonly reportLocal?: boolean;
  /** One target only: ICMP refusals are reported. Else they are switched off, as they would cost others a datagram. */
  readonly oneTarget?: boolean;
  /** Allow it to send to broadcast addresses. */
  readonly broadcast?: boolean;
  /** Receives what is sent to a multicast group; `bind` is then the group's address. */
  readonly join?: MulticastMembership;
  /** How the socket sends to multicast groups. */
  readonly multicast?: MulticastSending;
}

/** Membership of the group a socket is bound to. */
export interface MulticastMembership {
  /** The local interface to join on; the system chooses when undefined. */
  readonly interface: NetworkInterface | undefined;
  /** Receives from these sources alone (source-specific multicast, RFC 4607); from all when empty. */
  readonly sources: readonly string[];
}

/** How datagrams leave for a group. */
export interface MulticastSending {
  readonly interface: NetworkInterface | undefined;
  /** How many routers they may cross, 0 to 255; 0 keeps them on this host. */
  readonly ttl: number;
  /** Whether members on this host receive them too. */
  readonly loop: boolean;
}

/** A local network interface. */
export interface NetworkInterface {
  readonly name: string;
  /** An interface that is made anew with the same name has another id, where the system tells them apart. */
  readonly id: string;
  /** Its first IPv4 address, if it has one: IPv4 multicast names an interface by it. */
  readonly address4: string | undefined;
}

/** A UDP socket that is bound. */
export interface DatagramPort {
  /** Where it is really bound. */
  readonly local: Endpoint;
  /** Whether each datagram comes with its local address, and a sender can send {@link DatagramSender.from} that. */
  readonly reportsLocal: boolean;
  /**
   * Settles when it does, one tick after the port is bound; never rejects. Datagrams that arrive before have no local
   * address.
   */
  readonly ready: Promise<void>;
  /** A way to send to one target. Senders of one port share its socket. */
  sender(target: Endpoint, report: SendObserver): DatagramSender;
  /**
   * Datagrams the kernel has dropped since the socket was bound, because its buffer was full or because it took too
   * much of one turn; undefined when the system does not say, or the port is closed.
   */
  kernelDrops(): number | undefined;
  close(): void;
}

/** Why a datagram could not be handed to the kernel. */
export type SendDropReason =
  | "too long"
  | "unreachable"
  | "send error"
  | "expired"
  | "closing"
  | "stream lost";

/** Told what became of each datagram given to a {@link DatagramSender}: exactly once for each. */
export interface SendObserver {
  /** The kernel has taken this many datagrams of this many payload bytes together, in this many system calls. */
  onSent(datagrams: number, bytes: number, systemCalls: number): void;
  /** This many datagrams are lost. `code` is the operating system's word for it, such as EPERM. */
  onSendDropped(reason: SendDropReason, datagrams: number, code?: string): void;
  /** The sender was blocked and has room again: `drop` what it holds or `flush` it, then go on. */
  onWritable(): void;
}

/**
 * Sends datagrams to one target, in order, many in one system call.
 *
 * `add` each datagram, then `flush` once. When the socket's buffer is full the sender is {@link blocked}: it holds
 * what it could not send, accepts no more, and calls `onWritable` when it has room.
 */
export interface DatagramSender {
  /** Whether datagrams wait for the socket. While it is true, `add` must not be called. */
  readonly blocked: boolean;
  /**
   * The local address that datagrams leave from; the system chooses while undefined. See {@link
   * DatagramPort.reportsLocal}.
   */
  from?: LocalAddress | undefined;
  /** Datagrams added and neither sent nor dropped yet. */
  readonly held: number;
  /**
   * Adds one datagram. May flush by itself when many are waiting.
   *
   * @param bytes holds the payload; it must not be written to until the datagram is reported.
   */
  add(bytes: Uint8Array, start: number, length: number): void;
  /** Hands everything added to the kernel, as far as it takes it. */
  flush(): void;
  /** Drops what is held, as this reason, and unblocks. */
  drop(reason: SendDropReason): void;
}
