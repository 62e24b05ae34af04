/**
 * The contract of a UDP socket. `bun/datagram-port.ts` implements it on `Bun.udpSocket`; tests use an
 * implementation in memory.
 *
 * - Receiving: the port calls `onDatagram` for each datagram.
 * - Sending: {@link DatagramPort.sender} gives a sender for one target. Several senders can share a port. A
 *   sender collects datagrams with `add` and passes them to the kernel together with `flush`. It reports the
 *   result for each datagram to its {@link SendObserver}.
 */

import type { Endpoint } from "./endpoint.ts";

/** Receives the events of a UDP socket. */
export interface DatagramReceiver {
  /**
   * A datagram has arrived.
   *
   * @param payload 0 to 65,527 bytes. Borrowed until this returns.
   * @param port the source port.
   * @param address the source address, a literal. On a dual-stack socket IPv4 is in its v4-mapped form.
   * @param local the destination address, if {@link DatagramPort.reportsLocal}. Undefined when answers
   *   cannot be sent from it, such as a multicast group.
   */
  onDatagram(payload: Uint8Array, port: number, address: string, local?: LocalAddress): void;
  /**
   * The operating system reported an error that belongs to no call. In most cases it is the ICMP answer to a
   * datagram sent earlier, such as ECONNREFUSED for a closed port. The socket stays open.
   */
  onError(code: string): void;
}

/**
 * A local address that datagrams were sent to. The same address is usually the same object: comparing objects
 * shows whether it has changed.
 */
export interface LocalAddress {
  readonly address: string;
}

/** How to open a UDP socket. */
export interface DatagramPortOptions {
  /** The local address literal and port. With port 0 the system chooses one. */
  readonly bind: Endpoint;
  /** Lets other sockets bind the same port on other addresses of this host (SO_REUSEADDR). */
  readonly shared?: boolean;
  /**
   * Reports the destination address of each datagram. Has an effect only when the socket is bound to all
   * addresses and the system supports it.
   */
  readonly reportLocal?: boolean;
  /**
   * The socket has a single target, and reports ICMP errors such as ECONNREFUSED. Without this they are
   * switched off, because an error caused by one target would cost another target a datagram.
   */
  readonly oneTarget?: boolean;
  /** Allows sending to broadcast addresses. */
  readonly broadcast?: boolean;
  /** Joins a multicast group, whose address is that of `bind`. */
  readonly join?: MulticastMembership;
  /** How the socket sends to multicast groups. */
  readonly multicast?: MulticastSending;
}

/** Membership of the multicast group that a socket is bound to. */
export interface MulticastMembership {
  /** The local interface to join on. When undefined, the system chooses. */
  readonly interface: NetworkInterface | undefined;
  /** Receive from these sources only (source-specific multicast, RFC 4607); from every source when empty. */
  readonly sources: readonly string[];
}

/** How a socket sends to multicast groups. */
export interface MulticastSending {
  /** The local interface to send on. When undefined, the system chooses. */
  readonly interface: NetworkInterface | undefined;
  /** The TTL of the datagrams, 0 to 255. With 0 they stay on this host, with 1 on the local network. */
  readonly ttl: number;
  /** Whether group members on this host receive the datagrams too. */
  readonly loop: boolean;
}

/** A local network interface. */
export interface NetworkInterface {
  readonly name: string;
  /** Differs after the interface was removed and created again with the same name, if the system can tell. */
  readonly id: string;
  /** Its first IPv4 address, if it has one. IPv4 multicast identifies an interface by this address. */
  readonly address4: string | undefined;
}

/** A bound UDP socket. */
export interface DatagramPort {
  /** The address and port that the socket is bound to. */
  readonly local: Endpoint;
  /** Whether each datagram is reported with its local address, which {@link DatagramSender.from} accepts. */
  readonly reportsLocal: boolean;
  /**
   * Resolves when {@link reportsLocal} takes effect, one tick after the port was bound. Datagrams that arrive
   * before then have no local address. Never rejects.
   */
  readonly ready: Promise<void>;
  /** Creates a sender for one target. All senders of a port share its socket. */
  sender(target: Endpoint, observer: SendObserver): DatagramSender;
  /**
   * How many arrived datagrams the kernel has dropped since the socket was bound, because its receive buffer
   * was full. An estimate for datagrams of a burst that the kernel had merged. Undefined when unknown or when
   * the port is closed.
   */
  kernelDrops(): number | undefined;
  close(): void;
}

/** Why a datagram was not passed to the kernel. */
export type SendDropReason =
  | "too long"
  | "unreachable"
  | "send error"
  | "expired"
  | "closing"
  | "stream lost";

/** Is notified of the result for each datagram given to a {@link DatagramSender}, exactly once. */
export interface SendObserver {
  /** The kernel took this many datagrams with this many payload bytes in total, in this many system calls. */
  onSent(datagrams: number, bytes: number, systemCalls: number): void;
  /**
   * This many datagrams were dropped. @param code the error code if the kernel refused them, such as EPERM.
   */
  onSendDropped(reason: SendDropReason, datagrams: number, code?: string): void;
  /** The sender was blocked and can send again. First `flush` or `drop` the datagrams that it holds. */
  onWritable(): void;
}

/**
 * Sends datagrams to one target, in order, many in one system call.
 *
 * `add` each datagram, then `flush` once. When the socket's send buffer is full, the sender is
 * {@link blocked}: it holds the rest, accepts no more, and calls {@link SendObserver.onWritable} when the
 * buffer has room.
 */
export interface DatagramSender {
  /** Whether the sender holds datagrams until the socket has room. Until then, do not call `add`. */
  readonly blocked: boolean;
  /**
   * The local address to send from, if {@link DatagramPort.reportsLocal}. When undefined, the system chooses.
   */
  from?: LocalAddress | undefined;
  /** The number of datagrams that were added, and not yet sent or dropped. */
  readonly held: number;
  /**
   * Adds one datagram. Flushes by itself when the batch is full.
   *
   * @param bytes holds the payload. It must not change until the datagram's result is reported.
   */
  add(bytes: Uint8Array, start: number, length: number): void;
  /** Passes the added datagrams to the kernel, as many as it takes. */
  flush(): void;
  /** Drops the datagrams that are held, for this reason, and unblocks the sender. */
  drop(reason: SendDropReason): void;
}
