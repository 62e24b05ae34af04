/**
 * The contract for what the tunnel needs from the operating system: time, name resolution, addresses and UDP
 * sockets. `stream-transport.ts` is the contract for TCP. `bun/network.ts` implements both; tests use a
 * network in memory.
 */

import type { Clock } from "./clock.ts";
import type {
  DatagramPort,
  DatagramPortOptions,
  DatagramReceiver,
  NetworkInterface,
} from "./datagram-port.ts";
import type { Endpoint, Family } from "./endpoint.ts";
import type { StreamTransport } from "./stream-transport.ts";

/** What the operating system granted to the sockets of a tunnel. */
export interface SystemReport {
  /**
   * Whether segment offload is used: many datagrams in one message that the kernel splits (UDP_SEGMENT,
   * udp(7)).
   */
  readonly segmentOffload: boolean;
  /** The reason when it is not used: an error code or a phrase. */
  readonly offloadOffReason?: string | undefined;
  /** The smallest receive buffer that a UDP socket was granted; undefined when unknown. */
  readonly receiveBufferBytes?: number | undefined;
  /** The buffer size that UDP sockets requested. */
  readonly socketBufferBytes: number;
}

export interface Network {
  readonly clock: Clock;
  /** A random number for jitter, at least 0 and below 1. */
  random(): number;
  /**
   * Resolves a host name to address literals, best first. A literal resolves to itself.
   *
   * @throws NetError when the name has no address of this family.
   */
  resolve(host: string, family: Family | undefined): Promise<string[]>;
  /**
   * Binds a UDP socket.
   *
   * @throws NetError when the address cannot be bound.
   */
  openDatagramPort(options: DatagramPortOptions, receiver: DatagramReceiver): DatagramPort;
  /** The local interface with this name or address; undefined when the host has none. */
  findInterface(nameOrAddress: string): NetworkInterface | undefined;
  /** The names of this host's interfaces, except loopback, that have a link-local IPv6 address. */
  linkLocalInterfaces(): readonly string[];
  /** Every address of this host, without zones. Makes system calls: do not call this per datagram. */
  localAddresses(): readonly string[];
  /**
   * The networks of this host's interfaces that a datagram to this address reaches, as `ADDR/PREFIX`. Empty
   * unless the address is a broadcast address.
   */
  broadcastNetworks(address: string): readonly string[];
  /**
   * The local address from which this host would send to `target`; undefined when there is no route.
   *
   * @throws NetError EMFILE or ENFILE when too few descriptors are left to find out.
   */
  sourceAddressTo(target: Endpoint): string | undefined;
  /** Calls `onReport` now, and again at the end of each tick in which the report has changed. */
  watchSystem(onReport: (report: SystemReport) => void): void;
}

/** The network of one host, including TCP. */
export interface HostNetwork extends Network, StreamTransport {}

/**
 * A failure of the network. `code` is an errno name (EADDRINUSE, ECONNREFUSED ...), a code of the resolver
 * (ENOTFOUND ...), a TLS code, or EAUTH.
 */
export class NetError extends Error {
  override readonly name = "NetError";
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * Returns a caught error if it is a failure of the network.
 *
 * @throws any other error unchanged: a defect of this program must not be reported as a network failure.
 */
export function networkFailure(error: unknown): NetError {
  if (error instanceof NetError) return error;
  throw error;
}

/**
 * Converts an error that Bun threw into a `NetError` if it has an error code of the operating system. Any
 * other error is returned unchanged.
 *
 * @param what the beginning of the message: which operation failed.
 */
export function systemFailure(error: unknown, what: string): unknown {
  const code = errorCode(error);
  const isErrno = /^E[A-Z0-9]+$/.test(code); // not ERR_INVALID_ARG_TYPE and similar codes
  return error instanceof NetError || !isErrno ? error : new NetError(code, `${what}: ${code}`, error);
}

/** The code of an error; "UNKNOWN" when it has none. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "UNKNOWN";
}
