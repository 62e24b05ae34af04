/** This host's own addresses: every address that a name has, and a socket at each of them. */

import { isLinkLocal } from "../net/address-range.ts";
import { type Endpoint, type Family, familyOf, isLoopback } from "../net/endpoint.ts";
import { errorCode, type NetError, type Network, networkFailure } from "../net/network.ts";
import type { EventSource } from "../observe/events.ts";
import { failAs } from "./fail-as.ts";

/** What the kernel says where a host lacks an address, or a whole family. */
const LACKS = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/**
 * Every address that a name has, each once, best first; a literal is its own.
 *
 * @throws TunnelError ERR_RESOLVE.
 */
export async function ownAddresses(
  network: Pick<Network, "resolve">,
  host: string,
  family: Family | undefined,
): Promise<string[]> {
  return [...new Set(await network.resolve(host, family).catch(failAs("ERR_RESOLVE")))];
}

/** Where a server waits: on every address of the name that was given, or on all of this host's (undefined). */
export async function listeningAddresses(
  network: Pick<Network, "resolve">,
  address: string | undefined,
  family: Family | undefined,
): Promise<(string | undefined)[]> {
  if (address === undefined) return [family === 4 ? "0.0.0.0" : undefined];
  return await ownAddresses(network, address, family);
}

/** Where `Network.listen` is to listen. */
export function placeOf(address: string | undefined, port: number): { address?: string; port: number } {
  return address === undefined ? { port } : { address, port };
}

/**
 * The addresses of this host that a socket bound to all of them stands for, without loopback and link-local ones (RFC 4291,
 * 2.5.6), which the kernel chooses right; none when `address` is a single one.
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
    .filter((own) => !isLoopback(own) && (familyOf(own) === 4 || !isLinkLocal(own)));
}

/** Something bound to a local address. */
interface Bound {
  readonly local: Endpoint;
  close(): void;
}

/**
 * Opens a socket at each address, with the same port where that is 0 at first. Addresses that this host lacks are left
 * out and reported, as long as there is one that it has.
 *
 * @returns at least one.
 * @throws NetError when one cannot be opened for any other reason, or none at all.
 */
export function openAtEach<Socket extends Bound, Address extends string | undefined>(
  addresses: readonly Address[],
  port: number,
  open: (address: Address, port: number) => Socket,
  events: EventSource,
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
    events.report({ type: "address left out", address: address ?? "::", code, message });
  }
  return opened;
}

/** @param chosen the port that the system has chosen for the addresses before, when it was to choose. */
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
    return open(address, 0); // somebody else has this port at this address
  }
}
