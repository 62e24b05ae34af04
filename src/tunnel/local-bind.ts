/** This host's own addresses: all addresses of a name, and a socket at each of them. */

import { type Endpoint, type Family, familyOf, isLinkLocal6, isLoopback } from "../net/endpoint.ts";
import { errorCode, type NetError, type Network, networkFailure } from "../net/network.ts";
import type { EventReporter } from "../observe/event-reporter.ts";
import { wrapNetError } from "./start-errors.ts";

/** The kernel's errors when the host lacks an address, or a whole family. */
const LACKS = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/**
 * All addresses of a name, each once, best first. A literal is its own address.
 *
 * @throws TunnelError ERR_RESOLVE.
 */
export async function ownAddresses(
  network: Pick<Network, "resolve">,
  host: string,
  family: Family | undefined,
): Promise<string[]> {
  return [...new Set(await network.resolve(host, family).catch(wrapNetError("ERR_RESOLVE")))];
}

/** Where a server listens: on every address of the given name, or on all addresses of this host (undefined). */
export async function listeningAddresses(
  network: Pick<Network, "resolve">,
  address: string | undefined,
  family: Family | undefined,
): Promise<(string | undefined)[]> {
  if (address === undefined) return [family === 4 ? "0.0.0.0" : undefined];
  return await ownAddresses(network, address, family);
}

/** The place for `Network.listen`. */
export function placeOf(address: string | undefined, port: number): { address?: string; port: number } {
  return address === undefined ? { port } : { address, port };
}

/**
 * The addresses that a socket bound to all addresses stands for; none when `address` is a single one. Loopback and
 * link-local addresses (RFC 4291, 2.5.6) are left out: the kernel chooses among them correctly.
 */
export function addressesBehind(
  address: string,
  network: Pick<Network, "localAddresses">,
  family: Family | undefined,
): string[] {
  if (address !== "0.0.0.0" && address !== "::") return [];
  const only = address === "::" ? family : 4;
  return network
    .localAddresses()
    .filter((own) => only === undefined || familyOf(own) === only)
    .filter((own) => !isLoopback(own) && !isLinkLocal6(own));
}

/** A socket bound to a local address. */
interface Bound {
  readonly local: Endpoint;
  close(): void;
}

/**
 * Opens a socket at each address. When `port` is 0, all use the port that the system chooses for the first. Addresses
 * that this host lacks are left out and reported, as long as it has one of them.
 *
 * @returns at least one.
 * @throws NetError when one cannot be opened for any other reason, or none at all.
 */
export function openAtEach<Socket extends Bound, Address extends string | undefined>(
  addresses: readonly Address[],
  port: number,
  open: (address: Address, port: number) => Socket,
  events: EventReporter,
): Socket[] {
  const opened: Socket[] = [];
  const lacking: { address: Address; error: NetError }[] = [];
  try {
    for (const address of addresses) {
      try {
        opened.push(openAt(address, port, opened[0]?.local.port, open));
      } catch (error) {
        if (!LACKS.has(errorCode(error))) throw error;
        lacking.push({ address, error: networkFailure(error) });
      }
    }
    const [first] = lacking;
    if (opened.length === 0 && first !== undefined) throw first.error;
  } catch (error) {
    for (const socket of opened) socket.close();
    throw error;
  }
  for (const { address, error } of lacking) {
    const { code, message } = error;
    events.report({ type: "address skipped", address: address ?? "::", code, message });
  }
  return opened;
}

/** @param chosen the port that the system has chosen for the first address. */
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
