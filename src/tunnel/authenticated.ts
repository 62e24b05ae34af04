/** The network a tunnel with these settings may use. */

import { AuthenticatedNetwork } from "../auth/authenticated-transport.ts";
import type { Network } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";

/** The same network when there is no secret; otherwise one on which it must be proved first. */
export function authenticated(
  network: Network,
  { secret }: Pick<Settings, "secret">,
  counters: Counters,
  events: EventSource,
): Network {
  if (secret === undefined) return network;
  if (secret.exposed !== undefined) events.report({ type: "secret exposed", ...secret.exposed });
  return new AuthenticatedNetwork(network, { secret, counters, events });
}
