/** After the look-up of the target in peer mode: whether options fit, and the interface of a link-local address. */

import { OptionsError } from "../../errors.ts";
import { isLinkLocal6, withoutZone } from "../../net/endpoint.ts";
import { NetError, type Network } from "../../net/network.ts";
import type { Settings } from "../../options/settings.ts";
import { problemsAfterLookup } from "../../options/settings.ts";

/**
 * Refuses options for multicast when the target's name does not stand for a group, and the reverse.
 *
 * @param found the address that the name stands for.
 * @throws OptionsError
 */
export function refuseUnfit(settings: Settings, found: string): void {
  const problems = problemsAfterLookup(settings, found);
  if (problems.length > 0) throw new OptionsError(problems);
}

/**
 * The address to send to: a link-local one gets the zone that `interface` names.
 *
 * @throws NetError ENODEV when there is no such interface.
 */
export function withZone(
  network: Pick<Network, "findInterface">,
  settings: Settings,
  address: string,
): string {
  const wanted = settings.interface;
  if (wanted === undefined || !isLinkLocal6(address)) return address;
  const on = network.findInterface(wanted);
  if (on === undefined) throw new NetError("ENODEV", `there is no network interface ${wanted}`);
  return `${withoutZone(address)}%${on.name}`;
}
