/** Binding to this host's addresses: a name stands for all its addresses, and each of them gets a socket. */

import {
  type Endpoint,
  type Family,
  familyOf,
  isAnyAddress,
  isLinkLocal6,
  isLoopback,
} from "../net/endpoint.ts";
import { errorCode, type NetError, type Network, networkFailure } from "../net/network.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { AcceptPolicy, StreamListener, StreamTransport } from "../net/stream-transport.ts";
import type { EventReporter } from "../observe/event-reporter.ts";
import { wrapNetError } from "./start-errors.ts";

/** The errors of a bind when the host does not have the address, or does not support its family. */
const ADDRESS_MISSING = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/**
 * Resolves a name of this host. A literal resolves to itself.
 *
 * @returns each address once, best first.
 * @throws TunnelError ERR_RESOLVE.
 */
export async function localAddressesOf(
  network: Pick<Network, "resolve">,
  host: string,
  family: Family | undefined,
): Promise<string[]> {
  return [...new Set(await network.resolve(host, family).catch(wrapNetError("ERR_RESOLVE")))];
}

/**
 * Where a server listens.
 *
 * @param host if undefined, the server listens on all addresses of this host: the result is `[undefined]`.
 * @throws TunnelError ERR_RESOLVE.
 */
export async function listenAddressesOf(
  network: Pick<Network, "resolve">,
  host: string | undefined,
  family: Family | undefined,
): Promise<(string | undefined)[]> {
  if (host === undefined) return [family === 4 ? "0.0.0.0" : undefined];
  return await localAddressesOf(network, host, family);
}

/**
 * The addresses of a socket that is bound to a wildcard address; none if `address` is a single address.
 * Loopback and link-local addresses (RFC 4291, 2.5.6) are left out, because the kernel chooses among them
 * correctly.
 */
export function addressesOfWildcard(
  address: string,
  network: Pick<Network, "localAddresses">,
  family: Family | undefined,
): string[] {
  if (!isAnyAddress(address)) return [];
  const only = familyOf(address) === 6 ? family : 4;
  return network
    .localAddresses()
    .filter((local) => only === undefined || familyOf(local) === only)
    .filter((local) => !isLoopback(local) && !isLinkLocal6(local));
}

/** A socket bound to a local address. */
interface Bound {
  readonly local: Endpoint;
  close(): void;
}

/**
 * Opens a socket at each address. If `port` is 0, all use the port that the system chooses for the first
 * socket. An address that this host does not have is skipped and reported, unless the host has none of them.
 *
 * @returns at least one socket.
 * @throws NetError when a socket cannot be opened for another reason, or when none can be opened.
 */
export function openAtEach<Socket extends Bound, Address extends string | undefined>(
  addresses: readonly Address[],
  port: number,
  open: (address: Address, port: number) => Socket,
  events: EventReporter,
): Socket[] {
  const opened: Socket[] = [];
  const missing: { address: Address; error: NetError }[] = [];
  try {
    for (const address of addresses) {
      try {
        opened.push(openAt(address, port, opened[0]?.local.port, open));
      } catch (error) {
        if (!ADDRESS_MISSING.has(errorCode(error))) throw error;
        missing.push({ address, error: networkFailure(error) });
      }
    }
    const [first] = missing;
    if (opened.length === 0 && first !== undefined) throw first.error;
  } catch (error) {
    for (const socket of opened) socket.close();
    throw error;
  }
  for (const { address, error } of missing) {
    const { code, message } = error;
    events.report({ type: "address skipped", address: address ?? "::", code, message });
  }
  return opened;
}

/** @param chosen the port that the system chose for the first socket. */
function openAt<Socket, Address>(
  address: Address,
  port: number,
  chosen: number | undefined,
  open: (address: Address, port: number) => Socket,
): Socket {
  if (port !== 0 || chosen === undefined) return open(address, port);
  try {
    return open(address, chosen);
  } catch (error) {
    if (errorCode(error) !== "EADDRINUSE") throw error;
    return open(address, 0); // another program has this port at this address
  }
}

/** What a server listens with. */
interface Listening {
  readonly transport: StreamTransport;
  readonly events: EventReporter;
  readonly acceptPolicy: AcceptPolicy;
}

/** Listens on TCP at each address, see {@link openAtEach}. `undefined` means all addresses of this host. */
export function listenAtEach(
  addresses: readonly (string | undefined)[],
  port: number,
  onStream: (stream: StreamPort) => void,
  { transport, events, acceptPolicy }: Listening,
): StreamListener[] {
  const listen = (address: string | undefined, port: number) =>
    transport.listen(address === undefined ? { port } : { address, port }, onStream, acceptPolicy);
  return openAtEach(addresses, port, listen, events);
}
