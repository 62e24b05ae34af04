/** Finds tunnels of one file that would use the same port. */

import { isIPv6 } from "node:net";
import { isMulticast } from "../net/endpoint.ts";
import type { Settings } from "../options/settings.ts";
import type { TunnelPlan } from "./plan.ts";

/** Two tunnels that need the same port. */
export interface Collision {
  /** The name of the later tunnel, and its option. */
  readonly name: string;
  readonly option: "server" | "target";
  readonly problem: string;
}

/**
 * Finds tunnels that would listen on the same port of the same address. Host names are not looked up. Two
 * tunnels on one UDP port must be reported: both could bind it (SO_REUSEADDR, socket(7)), and one would
 * receive the other's datagrams.
 */
export function collisions(plans: readonly TunnelPlan[]): Collision[] {
  const owners = new Map<string, string>();
  const found: Collision[] = [];
  for (const { name, settings } of plans) {
    for (const { option, place } of placesOf(settings)) {
      const owner = owners.get(place);
      if (owner === undefined) owners.set(place, name);
      else if (owner !== name) {
        const advice = option === "server" ? "another port" : "another port, or its own bind";
        found.push({
          name,
          option,
          problem: `would use ${place}, like tunnel ${owner}; give it ${advice}`,
        });
      }
    }
  }
  return found;
}

interface Place {
  readonly option: Collision["option"];
  /** Protocol, address and port, for messages. */
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
