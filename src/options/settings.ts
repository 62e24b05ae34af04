/** The settings of a tunnel: its options, checked, in the library's units, with defaults filled in. */

import { type OptionProblem, OptionsError } from "../errors.ts";
import type { HostPort } from "./address.ts";
import type { Role } from "./definition.ts";
import { type InputStyle, LIBRARY } from "./input-style.ts";
import { isGiven, readOptions } from "./read-options.ts";
import { authenticates } from "./rules.ts";
import { scopeProblems } from "./scope.ts";
import type { Secret } from "./secret.ts";
import { OPTIONS, type OptionValues } from "./table.ts";
import type { ClientOptions, ServerOptions } from "./tunnel-options.ts";

export interface Settings {
  readonly role: Role;
  /** Where a server listens; undefined for a client. Without an address, it listens on all. */
  readonly listen?: { readonly address?: string; readonly port: number };
  /** The servers that a client tries, in this order: at least one. Empty for a server. */
  readonly connect: readonly { readonly host: string; readonly port: number }[];
  /** Only for a client with `perSource` can the port be 0: the system chooses one. */
  readonly target: { readonly host: string; readonly port: number; readonly ttl?: number };
  readonly rtp: boolean;
  readonly once: boolean;
  readonly loop: boolean;
  readonly udpSendOnly: boolean;
  readonly udpReceiveOnly: boolean;
  readonly anySource: boolean;
  readonly perSource: boolean;
  readonly anyPort: boolean;
  /** A name or a literal. */
  readonly bind?: string;
  /**
   * The port on which a client with `perSource` listens in place of the target's. With 0, the system chooses.
   */
  readonly bindPort?: number;
  /** The name of an interface, or one of its addresses. */
  readonly interface?: string;
  /** A name or a literal. */
  readonly tcpBind?: string;
  /** Literals. */
  readonly source: readonly string[];
  /** Literals without a zone; `/PREFIX` is optional. */
  readonly from: readonly string[];
  /** As `from`. Empty allows all addresses. */
  readonly allow: readonly string[];
  /** Both ends must prove that they know it before datagrams are relayed. */
  readonly secret?: Secret;
  readonly requireAuth: boolean;
  readonly family?: 4 | 6;
  readonly tls: boolean;
  /** The certificate files. A server with `tls` has `cert` and `key`; a client has both or neither. */
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly clientCa?: string;
  /** In a form that `readPin` accepts. */
  readonly pin?: string;
  /** A name or a literal. */
  readonly sni?: string;
  readonly deadAfterMs: number;
  /** The whole byte, 0 to 255. */
  readonly tos?: number;
  readonly mark?: number;
  /** 0 means never. */
  readonly idleTimeoutMs: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  /** 0 means no limit. */
  readonly maxDelayMs: number;
  readonly queueBytesMax: number;
  /** Undefined: the tunnel chooses. */
  readonly unsentBytesMax?: number;
  readonly inFlight: "auto" | "kernel";
  readonly offload: "auto" | "off";
  readonly socketBufferBytes: number;
}

/** Whether access is limited: clients must authenticate, or only some addresses may connect. */
export function limitsAccess(settings: Pick<Settings, "allow" | "secret" | "clientCa">): boolean {
  return settings.allow.length > 0 || authenticates(settings);
}

/** The host names and addresses that are given alone, not in a list of addresses. */
export function hostsOf({ listen, connect, target, bind, tcpBind, sni }: Settings): string[] {
  const hosts = [listen?.address, ...connect.map(({ host }) => host), target.host, bind, tcpBind, sni];
  return hosts.filter((host) => host !== undefined);
}

/**
 * Reads the options of a server.
 *
 * @throws OptionsError with every problem at once.
 */
export function readServerOptions(options: ServerOptions): Settings {
  return settingsOrThrow({ ...options }, "server");
}

/**
 * Reads the options of a client.
 *
 * @throws OptionsError with every problem at once.
 */
export function readClientOptions(options: ClientOptions): Settings {
  return settingsOrThrow({ ...options }, "client");
}

function settingsOrThrow(options: Readonly<Record<string, unknown>>, role: Role): Settings {
  const { settings, problems } = readSettings(options, role, LIBRARY);
  if (settings === undefined) throw new OptionsError(problems);
  return settings;
}

/**
 * Reads options given under the library's keys, in any style. If there is a problem, there are no settings.
 */
export function readSettings(
  options: Readonly<Record<string, unknown>>,
  role: Role | undefined,
  style: InputStyle,
): { readonly settings?: Settings; readonly problems: readonly OptionProblem[] } {
  const { values, problems } = readOptions(options, role, style);
  return values === undefined || role === undefined
    ? { problems }
    : { problems, settings: settingsOf(values, role) };
}

/**
 * The forms of the addresses guarantee hosts and ports, so the fallbacks here and below only satisfy the
 * types.
 */
function settingsOf(
  { listen, connect, target, bind, secretFile, ...rest }: OptionValues,
  role: Role,
): Settings {
  const { host = "", port = 0, ttl } = target ?? {};
  return {
    maxSessionsPerAddress: rest.maxSessions,
    ...rest,
    ...connectionSettings({ listen, connect, secretFile }, port),
    role,
    ...(bind?.host !== undefined && { bind: bind.host }),
    ...(bind?.port !== undefined && { bindPort: bind.port }),
    target: { host, port, ...(ttl === undefined ? {} : { ttl }) },
  };
}

interface ConnectionValues {
  readonly listen?: HostPort | undefined;
  readonly connect?: readonly HostPort[] | undefined;
  readonly secretFile?: Secret | undefined;
}

/** The settings of TCP connections, which tunnels and channels share. */
export function connectionSettings(
  { listen, connect = [], secretFile }: ConnectionValues,
  defaultPort: number,
): Pick<Settings, "listen" | "connect" | "secret"> {
  const address = listen?.host;
  return {
    ...(secretFile && { secret: secretFile }),
    connect: connect.map(({ host = "", port = defaultPort }) => ({ host, port })),
    ...(listen && { listen: { port: listen.port ?? 0, ...(address !== undefined && { address }) } }),
  };
}

/**
 * Problems that only a look-up of the target's name can show: options that have an effect on multicast only,
 * or on other addresses only. The problems name options by their library keys.
 *
 * @param address the address of the target.
 */
export function problemsAfterLookup(settings: Settings, address: string): OptionProblem[] {
  const values = { ...settings, target: { ...settings.target, host: address } };
  const present = OPTIONS.filter(
    ({ key, scope, kind }) =>
      scope && kind !== "integer" && kind !== "duration" && isGiven(settings[key as keyof Settings]),
  );
  return [
    ...scopeProblems(present, values as unknown as Partial<OptionValues>, LIBRARY.nameOf, settings.role),
  ];
}
