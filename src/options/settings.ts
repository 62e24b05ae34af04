import { type OptionProblem, OptionsError } from "../errors.ts";
import type { Role } from "./definition.ts";
import { type InputStyle, LIBRARY } from "./input-style.ts";
import { isGiven, readOptions } from "./read-options.ts";
import { authenticates } from "./rules.ts";
import { scopeProblems } from "./scope.ts";
import type { Secret } from "./secret.ts";
import { OPTIONS, type OptionValues } from "./table.ts";
import type { ClientOptions, ServerOptions } from "./tunnel-options.ts";

/** Everything a tunnel needs to know, checked, in the library's units and with defaults filled in. */
export interface Settings {
  readonly role: Role;
  /** Where the server waits; there for a server only. Without an address it waits on all. */
  readonly listen?: { readonly address?: string; readonly port: number };
  /** The servers to try, in order; empty for a server, at least one for a client. */
  readonly connect: readonly { readonly host: string; readonly port: number }[];
  /** The port is 0 only for a client with `perSource`, where it lets the system choose. */
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
  /** For a client with `perSource`: the port to listen on in place of the target's; 0 lets the system choose. */
  readonly bindPort?: number;
  /** The name of an interface, or one of its addresses. */
  readonly interface?: string;
  /** A name or a literal. */
  readonly tcpBind?: string;
  /** Literals. */
  readonly source: readonly string[];
  /** Literals without a zone, each perhaps with `/PREFIX`. */
  readonly from: readonly string[];
  /** Literals without a zone, each perhaps with `/PREFIX`; empty allows all. */
  readonly allow: readonly string[];
  /** What both ends must prove to know before anything is relayed. */
  readonly secret?: Secret;
  readonly requireAuth: boolean;
  readonly family?: 4 | 6;
  readonly tls: boolean;
  /** Files. A server with `tls` has the first two; a client both or none. */
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly clientCa?: string;
  /** As `readPin` reads it. */
  readonly pin?: string;
  /** A name or a literal. */
  readonly sni?: string;
  readonly deadAfterMs: number;
  /** The whole byte, 0 to 255. */
  readonly tos?: number;
  readonly mark?: number;
  /** 0 is never. */
  readonly idleTimeoutMs: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  /** 0 is no limit. */
  readonly maxDelayMs: number;
  readonly queueBytesMax: number;
  /** The tunnel chooses, when missing. */
  readonly unsentBytesMax?: number;
  readonly inFlight: "auto" | "kernel";
  readonly offload: "auto" | "off";
  readonly socketBufferBytes: number;
}

/** Whether anything says who may connect: a proof, or at least an address. */
export function isGuarded(settings: Pick<Settings, "allow" | "secret" | "clientCa">): boolean {
  return settings.allow.length > 0 || authenticates(settings);
}

/**
 * Settings of a server.
 *
 * @throws OptionsError with every problem at once.
 */
export function readServerOptions(options: ServerOptions): Settings {
  return settingsOrThrow({ ...options }, "server");
}

/**
 * Settings of a client.
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

/** Settings from options in any style, given under the library's keys; they are there only when there is no problem. */
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

/** What was checked already is not checked again: the forms of the three addresses make sure of hosts and ports. */
function settingsOf(
  { listen, connect, target, bind, secretFile, ...rest }: OptionValues,
  role: Role,
): Settings {
  const { host = "", port = 0, ttl } = target ?? {};
  return {
    maxSessionsPerAddress: rest.maxSessions,
    ...rest,
    ...(secretFile === undefined ? {} : { secret: secretFile }),
    role,
    ...(bind?.host !== undefined && { bind: bind.host }),
    ...(bind?.port !== undefined && { bindPort: bind.port }),
    target: { host, port, ...(ttl === undefined ? {} : { ttl }) },
    connect: connect.map((server) => ({ host: server.host ?? "", port: server.port ?? port })),
    ...(listen === undefined ? {} : { listen: listeningPlace(listen.host, listen.port ?? 0) }),
  };
}

function listeningPlace(address: string | undefined, port: number): { address?: string; port: number } {
  return address === undefined ? { port } : { address, port };
}

/**
 * Problems that only a look-up of the target's name can show: options that have an effect on multicast only, or on other
 * addresses only. The problems name options by their library keys.
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
