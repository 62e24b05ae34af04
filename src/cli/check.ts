/** The output of `--check` for valid tunnels. */

import { isIPv6 } from "node:net";
import type { TunnelPlan } from "../config/plan.ts";
import type { Settings } from "../options/settings.ts";

/** Describes a tunnel in one line: where it listens or connects, and its UDP address. */
export function summary({ name, settings }: TunnelPlan): string {
  const { target, perSource, rtp } = settings;
  const kind = perSource ? ", a connection for each source" : rtp ? ", RTP and RTCP" : "";
  return `${name}: ${tcpOf(settings)}, UDP ${place(target)}${kind}`;
}

function tcpOf({ listen, connect }: Settings): string {
  if (listen === undefined) return `client of TCP ${connect.map(place).join(", then ")}`;
  const { address, port } = listen;
  return `server on TCP ${address === undefined ? port : place({ host: address, port })}`;
}

function place({ host, port }: { readonly host: string; readonly port: number }): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
