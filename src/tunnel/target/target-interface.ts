/** The network interface to the target: of a multicast group, or of a link-local address. */

import { OptionsError } from "../../errors.ts";
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
 * Adds the zone to a link-local IPv6 address: of the given interface, or of the only one with link-local
 * addresses. If there are several, and for any other address, returns the address unchanged.
 *
 * @param wanted the name or an address of the interface, if given.
 * @throws NetError ENODEV when there is no such interface.
 */
export function withZone(
  network: Pick<Network, "findInterface" | "linkLocalInterfaces">,
  address: string,
  wanted: string | undefined,
): string {
  if (!isLinkLocal6(address)) return address;
  if (wanted !== undefined) return `${withoutZone(address)}%${existingInterface(network, wanted).name}`;
  const [only, ...others] = address.includes("%") ? [] : network.linkLocalInterfaces();
  return only === undefined || others.length > 0 ? address : `${address}%${only}`;
}

/**
 * Refuses a target that is link-local and has no zone, when several interfaces have link-local addresses. The
 * kernel would choose one of them by its routes. Datagrams that leave on the wrong one are lost without an
 * error.
 *
 * @param addresses the target's addresses, after {@link withZone}.
 * @throws OptionsError.
 */
export function refuseWithoutZone(
  network: Pick<Network, "linkLocalInterfaces">,
  addresses: readonly string[],
): void {
  if (!addresses.every((address) => isLinkLocal6(address) && !address.includes("%"))) return;
  const interfaces = network.linkLocalInterfaces();
  if (interfaces.length < 2) return;
  const problem =
    `${addresses[0]} is link-local, and this host has several interfaces (${interfaces.join(", ")}); ` +
    `name one of them, such as ${addresses[0]}%${interfaces[0]}`;
  throw new OptionsError([{ option: "target", problem }]);
}

/** The name or an address of the interface to the target, if given. */
export function interfaceOf(settings: Pick<Settings, "interface">, target: Endpoint): string | undefined {
  return settings.interface ?? /%(.+)$/.exec(target.address)?.[1];
}

/** Returns how to find the target's interface; undefined if the kernel chooses it for each datagram. */
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
