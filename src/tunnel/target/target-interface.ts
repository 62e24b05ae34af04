/** The network interface to the target: of a multicast group, or of a link-local address. */

import type { NetworkInterface } from "../../net/datagram-port.ts";
import { type Endpoint, familyOf, isLinkLocal6, isMulticast, withoutZone } from "../../net/endpoint.ts";
import { NetError, type Network } from "../../net/network.ts";
import type { Settings } from "../../options/settings.ts";

/** The interface of this name, or with this address. @throws NetError ENODEV when there is none. */
export function existingInterface(
  network: Pick<Network, "findInterface">,
  nameOrAddress: string,
): NetworkInterface {
  const found = network.findInterface(nameOrAddress);
  if (found === undefined) throw new NetError("ENODEV", `there is no network interface ${nameOrAddress}`);
  return found;
}

/**
 * Adds the zone to a link-local IPv6 address; returns any other address unchanged.
 *
 * @param wanted the name or an address of the interface, if given.
 * @throws NetError ENODEV when there is no such interface.
 */
export function withZone(
  network: Pick<Network, "findInterface">,
  address: string,
  wanted: string | undefined,
): string {
  if (wanted === undefined || !isLinkLocal6(address)) return address;
  return `${withoutZone(address)}%${existingInterface(network, wanted).name}`;
}

/** The name or an address of the interface to the target, if given. */
export function interfaceOf(settings: Pick<Settings, "interface">, target: Endpoint): string | undefined {
  return settings.interface ?? /%(.+)$/.exec(target.address)?.[1];
}

/** A function that finds the interface to the target; undefined when the kernel chooses it for each datagram. */
export function interfaceFinder(
  network: Network,
  settings: Pick<Settings, "interface">,
  target: Endpoint,
): (() => NetworkInterface | undefined) | undefined {
  const multicast = isMulticast(target.address);
  if (!multicast && !target.address.includes("%")) return undefined;
  const given = interfaceOf(settings, target);
  return () => {
    const nameOrAddress = given ?? network.sourceAddressTo(target);
    const found = nameOrAddress === undefined ? undefined : network.findInterface(nameOrAddress);
    // The kernel identifies an IPv4 multicast interface by its address.
    const lacksAddress = multicast && familyOf(target.address) === 4 && found?.address4 === undefined;
    return lacksAddress ? undefined : found;
  };
}
