/**
 * What the tunnel needs from the operating system: time, names, addresses and UDP sockets.
 * `stream-transport.ts` has TCP. `bun/network.ts` implements both; tests have a twin in memory.
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

/** What the operating system gives beyond plain sockets. */
export interface SystemReport {
  /**
   * Whether many datagrams are handed to the kernel as one message for it to cut apart (UDP_SEGMENT, udp(7)).
   */
  readonly segmentOffload: boolean;
  /** Why not, if not: an errno name, or words. */
  readonly offloadLack?: string | undefined;
  /**
   * The least receive buffer a UDP socket was granted, in bytes; undefined while there was none, or nobody
   * says.
   */
  readonly receiveBufferBytes?: number | undefined;
  /** The UDP socket buffers that were asked for, in bytes. */
  readonly socketBufferBytes: number;
}

export interface Network {
  readonly clock: Clock;
  /** A number from 0 up to 1, for jitter. */
  random(): number;
  /**
   * The addresses of a host name, best first, or the literal itself.
   *
   * @throws NetError when there are none (of this family).
   */
  resolve(host: string, family: Family | undefined): Promise<string[]>;
  /**
   * Binds a UDP socket.
   *
   * @throws NetError when the address cannot be bound.
   */
  openDatagramPort(options: DatagramPortOptions, receiver: DatagramReceiver): DatagramPort;
  /** The local network interface of this name, or with this address; undefined when there is none. */
  findInterface(nameOrAddress: string): NetworkInterface | undefined;
  /** The names of this host's interfaces, except loopback, that have a link-local IPv6 address. */
  linkLocalInterfaces(): readonly string[];
  /**
   * Every address of this host, as literals without zones. Asks the operating system: do not call it per
   * datagram.
   */
  localAddresses(): readonly string[];
  /**
   * The networks of this host's interfaces that a datagram to this address reaches, as `ADDR/PREFIX`; none
   * unless it is a broadcast address.
   */
  broadcastNetworks(address: string): readonly string[];
  /**
   * The address this host would send from to reach `target`; undefined when there is no route.
   *
   * @throws NetError EMFILE, ENFILE when the system cannot be asked, as too few descriptors are left.
   */
  sourceAddressTo(target: Endpoint): string | undefined;
  /** Calls `tell` at once, and in later turns whenever the report has changed. */
  watchSystem(tell: (report: SystemReport) => void): void;
}

/** The network of one host: {@link Network} and its TCP connections. */
export interface HostNetwork extends Network, StreamTransport {}

/**
 * What the operating system refused, wrapped once. `code` is its own word: EADDRINUSE, ECONNREFUSED,
 * ENOTFOUND ...
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
 * Returns a caught error that is a failure of the network.
 *
 * @throws any other error as it is: a defect of this program must not be reported as a failure of the
 *   network.
 */
export function networkFailure(error: unknown): NetError {
  if (error instanceof NetError) return error;
  throw error;
}

/**
 * The operating system's error that a call of Bun's threw, as a `NetError`; any other error as it is.
 *
 * @param what could not be done.
 */
export function systemFailure(error: unknown, what: string): unknown {
  const code = errorCode(error);
  const isErrno = /^E[A-Z0-9]+$/.test(code); // not ERR_INVALID_ARG_TYPE and the like
  return error instanceof NetError || !isErrno ? error : new NetError(code, `${what}: ${code}`, error);
}

/** The operating system's word for an error, "UNKNOWN" when it has none. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "UNKNOWN";
}
