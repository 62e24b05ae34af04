/** The options of datagram channels: those of a tunnel that have to do with its TCP connections. */

import { OptionsError } from "../errors.ts";
import { readOptions } from "./read-options.ts";
import type { Settings } from "./settings.ts";
import type { Role } from "./spec.ts";
import type { OptionKey } from "./table.ts";
import type { ClientOptions, ConnectAddress, ServerOptions, TunnelOptions } from "./tunnel-options.ts";

/** What channels take at either end, with the bounds and defaults of a tunnel's options of these names. */
type ChannelOptions = Pick<
  TunnelOptions,
  "family" | "deadAfterMs" | "maxDelayMs" | "queueBytesMax" | "unsentBytesMax" | "inFlight" | "tos" | "mark"
>;

/** A channel that dials. */
export interface DialChannelOptions extends ChannelOptions, Pick<ClientOptions, "tcpBind"> {
  /** The server, with its port; of several the first that answers. */
  readonly connect: ConnectAddress | readonly ConnectAddress[];
}

/** Channels that are accepted: `maxSessions`, `maxSessionsPerAddress` and `idleTimeoutMs` are about them. */
export type ListenChannelsOptions = ChannelOptions &
  Pick<ServerOptions, "listen" | "allow" | "maxSessions" | "maxSessionsPerAddress" | "idleTimeoutMs">;

const COMMON = [
  ...["family", "deadAfterMs", "maxDelayMs", "queueBytesMax", "unsentBytesMax", "inFlight", "tos", "mark"],
] as OptionKey[];
const OF_ROLE: Readonly<Record<Role, readonly OptionKey[]>> = {
  client: ["connect", "tcpBind"],
  server: ["listen", "allow", "maxSessions", "maxSessionsPerAddress", "idleTimeoutMs"],
};
const NEEDED = { server: ["listen"], client: ["connect"] } as const;

/** What a channel needs to know, checked and with defaults filled in. */
export type ChannelSettings = Pick<
  Settings,
  | "connect"
  | "listen"
  | "allow"
  | "tcpBind"
  | "family"
  | "deadAfterMs"
  | "maxDelayMs"
  | "queueBytesMax"
  | "unsentBytesMax"
  | "inFlight"
  | "tos"
  | "mark"
  | "maxSessions"
  | "maxSessionsPerAddress"
  | "idleTimeoutMs"
  | "offload"
  | "socketBufferBytes"
>;

/** @throws OptionsError with every problem at once. */
export function readChannelOptions(
  options: DialChannelOptions | ListenChannelsOptions,
  role: Role,
): ChannelSettings {
  const set = { keys: new Set([...COMMON, ...OF_ROLE[role]]), needed: NEEDED };
  const { values, problems } = readOptions(
    { ...options },
    role,
    { nameOf: (key) => key, values: "library" },
    set,
  );
  if (values === undefined) throw new OptionsError(problems);
  const { listen, connect = [], ...rest } = values;
  if (connect.some(({ port }) => port === undefined)) {
    throw new OptionsError([{ option: "connect", problem: "has no port; give the server's port" }]);
  }
  return {
    ...DEFAULTS,
    maxSessionsPerAddress: rest.maxSessions ?? DEFAULTS.maxSessions,
    ...rest,
    connect: connect.map(({ host = "", port = 0 }) => ({ host, port })),
    ...(listen && {
      listen: { port: listen.port ?? 0, ...(listen.host !== undefined && { address: listen.host }) },
    }),
  };
}

/** For what the one role or both do not take; a channel has no UDP socket. */
const DEFAULTS = {
  allow: [],
  maxSessions: 0,
  idleTimeoutMs: 0,
  offload: "off",
  socketBufferBytes: 0,
} as const;
