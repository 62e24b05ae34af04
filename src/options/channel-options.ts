/** The options of datagram channels: the subset of a tunnel's options that concern TCP connections. */

import { OptionsError } from "../errors.ts";
import type { Role } from "./definition.ts";
import { LIBRARY } from "./input-style.ts";
import { readOptions } from "./read-options.ts";
import { connectionSettings, type Settings } from "./settings.ts";
import type { OptionKey } from "./table.ts";
import type { ClientOptions, ConnectAddress, ServerOptions, TunnelOptions } from "./tunnel-options.ts";

/** Options of both ends, with the bounds and defaults that a tunnel has. */
type ChannelOptions = Pick<TunnelOptions, CommonKey>;

/** Options of a channel that dials. */
export interface DialChannelOptions
  extends ChannelOptions,
    Pick<ClientOptions, Exclude<DiallingKey, "connect">> {
  /** The server with its port. Of several, the first that answers is used. */
  readonly connect: ConnectAddress | readonly ConnectAddress[];
}

/**
 * Options of a listener. `maxSessions`, `maxSessionsPerAddress` and `idleTimeoutMs` apply to the accepted
 * channels.
 */
export type ListenChannelsOptions = ChannelOptions & Pick<ServerOptions, ListeningKey>;

const LIMITS = ["deadAfterMs", "maxDelayMs", "queueBytesMax", "unsentBytesMax", "inFlight"] as const;
const SECURITY = ["tls", "cert", "key", "secret", "secretFile"] as const;
const COMMON = ["family", "tos", "mark", ...LIMITS, ...SECURITY] as const;
const DIALLING = ["connect", "tcpBind", "ca", "pin", "sni"] as const;
const SESSIONS = ["maxSessions", "maxSessionsPerAddress", "idleTimeoutMs"] as const;
const LISTENING = ["listen", "allow", "clientCa", "requireAuth", ...SESSIONS] as const;

type CommonKey = (typeof COMMON)[number];
type DiallingKey = (typeof DIALLING)[number];
type ListeningKey = (typeof LISTENING)[number];

const KEYS_OF_ROLE: Readonly<Record<Role, readonly OptionKey[]>> = { client: DIALLING, server: LISTENING };
const REQUIRED = { server: ["listen"], client: ["connect"] } as const;

/** The settings of channels, checked and with defaults filled in. */
export type ChannelSettings = Pick<
  Settings,
  Exclude<CommonKey | DiallingKey | ListeningKey, "secretFile"> | "role" | "offload" | "socketBufferBytes"
>;

/** @throws OptionsError with every problem at once. */
export function readChannelOptions(
  options: DialChannelOptions | ListenChannelsOptions,
  role: Role,
): ChannelSettings {
  const set = { keys: new Set([...COMMON, ...KEYS_OF_ROLE[role]]), required: REQUIRED };
  const { values, problems } = readOptions({ ...options }, role, LIBRARY, set);
  if (values === undefined) throw new OptionsError(problems);
  const { listen, connect = [], secretFile, ...rest } = values;
  if (connect.some(({ port }) => port === undefined)) {
    throw new OptionsError([{ option: "connect", problem: "has no port; give the server's port" }]);
  }
  return {
    ...DEFAULTS,
    maxSessionsPerAddress: rest.maxSessions ?? DEFAULTS.maxSessions,
    ...rest,
    ...connectionSettings({ listen, connect, secretFile }, 0),
    role,
  };
}

/** For options that one role or both lack. A channel has no UDP socket. */
const DEFAULTS = {
  allow: [],
  requireAuth: false,
  maxSessions: 0,
  idleTimeoutMs: 0,
  offload: "off",
  socketBufferBytes: 0,
} as const;
