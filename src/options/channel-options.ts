/** The options of datagram channels: those of a tunnel that have to do with its TCP connections. */

import { OptionsError } from "../errors.ts";
import type { Role } from "./definition.ts";
import { LIBRARY } from "./input-style.ts";
import { readOptions } from "./read-options.ts";
import type { Settings } from "./settings.ts";
import type { OptionKey } from "./table.ts";
import type { ClientOptions, ConnectAddress, ServerOptions, TunnelOptions } from "./tunnel-options.ts";

/** What channels take at either end, with the bounds and defaults of a tunnel's options of these names. */
type ChannelOptions = Pick<TunnelOptions, CommonKey>;

/** A channel that dials. */
export interface DialChannelOptions
  extends ChannelOptions,
    Pick<ClientOptions, Exclude<DiallingKey, "connect">> {
  /** The server, with its port; of several the first that answers. */
  readonly connect: ConnectAddress | readonly ConnectAddress[];
}

/** Channels that are accepted: `maxSessions`, `maxSessionsPerAddress` and `idleTimeoutMs` are about them. */
export type ListenChannelsOptions = ChannelOptions & Pick<ServerOptions, ListeningKey>;

const LIMITS = ["deadAfterMs", "maxDelayMs", "queueBytesMax", "unsentBytesMax", "inFlight"] as const;
const PROOFS = ["tls", "cert", "key", "secret", "secretFile"] as const;
const COMMON = ["family", "tos", "mark", ...LIMITS, ...PROOFS] as const;
const DIALLING = ["connect", "tcpBind", "ca", "pin", "sni"] as const;
const SESSIONS = ["maxSessions", "maxSessionsPerAddress", "idleTimeoutMs"] as const;
const LISTENING = ["listen", "allow", "clientCa", "requireAuth", ...SESSIONS] as const;

type CommonKey = (typeof COMMON)[number];
type DiallingKey = (typeof DIALLING)[number];
type ListeningKey = (typeof LISTENING)[number];

const OF_ROLE: Readonly<Record<Role, readonly OptionKey[]>> = { client: DIALLING, server: LISTENING };
const REQUIRED = { server: ["listen"], client: ["connect"] } as const;

/** What a channel needs to know, checked and with defaults filled in. */
export type ChannelSettings = Pick<
  Settings,
  Exclude<CommonKey | DiallingKey | ListeningKey, "secretFile"> | "role" | "offload" | "socketBufferBytes"
>;

/** @throws OptionsError with every problem at once. */
export function readChannelOptions(
  options: DialChannelOptions | ListenChannelsOptions,
  role: Role,
): ChannelSettings {
  const set = { keys: new Set([...COMMON, ...OF_ROLE[role]]), required: REQUIRED };
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
    ...(secretFile && { secret: secretFile }),
    role,
    connect: connect.map(({ host = "", port = 0 }) => ({ host, port })),
    ...(listen && {
      listen: { port: listen.port ?? 0, ...(listen.host !== undefined && { address: listen.host }) },
    }),
  };
}

/** For what the one role or both do not take; a channel has no UDP socket. */
const DEFAULTS = {
  allow: [],
  requireAuth: false,
  maxSessions: 0,
  idleTimeoutMs: 0,
  offload: "off",
  socketBufferBytes: 0,
} as const;
