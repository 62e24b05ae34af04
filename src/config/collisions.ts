/** Tunnels of one file that want the same port. */

import { isIPv6 } from "node:net";
import { isMulticast } from "../net/endpoint.ts";
import type { Settings } from "../options/settings.ts";
import type { TunnelPlan } from "./plan.ts";

/** Two tunnels that cannot both have what they want. */
export interface Collision {
  /** The later one's name, and its option. */
  readonly name: string;
  readonly option: "server" | "target";
  readonly problem: string;
}

/**
 * Finds tunnels that would listen on the same port of the same address, as far as that shows without looking names up. Two that
 * share a UDP port must not go unnoticed: both can bind it (SO_REUSEADDR, socket(7)), and one gets the other's datagrams.
 */
export function collisions(plans: readonly TunnelPlan[]): Collision[] {
  const owners = new Map<string, string>();
  const found: Collision[] = [];
  for (const { name, settings } of plans) {
    for (const { option, place } of placesOf(settings)) {
      const owner = owners.get(place);
      if (owner === undefined) owners.set(place, name);
      else if (owner !== name) {
        const advice = option === "server" ? "another port" : "another port, or a bind of its own";
        found.push({
          name,
          option,
          problem: `would use ${place}, as tunnel ${owner} does; give it ${advice}`,
        });
      }
    }
  }
  return found;
}

interface Place {
  readonly option: Collision["option"];
  /** Protocol, address and port as people read them. */
  readonly place: string;
}

function placesOf({ listen, target, rtp, perSource, bind, bindPort, udpSendOnly }: Settings): Place[] {
  const ports = (port: number) => (rtp ? [port, port + 1] : [port]);
  const tcp = listen === undefined ? [] : ports(listen.port);
  const places = tcp.map((port) => ({
    option: "server" as const,
    place: `TCP ${at(listen?.address, port)}`,
  }));
  const port = bindPort ?? target.port;
  const isShared = isMulticast(target.host) || port === 0;
  const listensOnUdp = perSource ? listen === undefined : !udpSendOnly;
  if (isShared || !listensOnUdp) return places;
  const any = isIPv6(target.host) ? "::" : undefined;
  const address = bind ?? (perSource ? target.host : any);
  const udp = ports(port).map((port) => ({
    option: "target" as const,
    place: `UDP ${at(address, port)}`,
  }));
  return [...places, ...udp];
}

const at = (address: string | undefined, port: number) =>
  address === undefined ? `${port}` : `${address}/${port}`;
