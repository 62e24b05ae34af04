/**
 * What a definition in the table says about an option. The command line, the library and the documents follow
 * it.
 */

import type { HostPortForm } from "./address.ts";

/** The two ends of a tunnel. The server listens for the TCP connection; the client dials it. */
export type Role = "server" | "client";

/**
 * The kind of a tunnel, as far as options depend on it. In peer mode it follows from the UDP address, where
 * `link-local` means fe80::/10. In per-source mode it follows from the end.
 */
export type TunnelKind = "unicast" | "link-local" | "multicast" | "session client" | "session server";

/** Peer mode with a unicast target. */
export const UNICAST = ["unicast", "link-local"] as const satisfies readonly TunnelKind[];
/** Peer mode. */
export const PEER = [...UNICAST, "multicast"] as const satisfies readonly TunnelKind[];
/** Per-source mode. */
export const SESSIONS = ["session client", "session server"] as const satisfies readonly TunnelKind[];

/** Where an option has an effect. */
interface Scope {
  /** The kinds of tunnels. Default: all. */
  readonly kinds?: readonly TunnelKind[];
  /** The option has no effect together with this one. */
  readonly notWith?: "udpSendOnly" | "udpReceiveOnly";
}

interface CommonDefinition {
  /** The long name, without hyphens in front. The configuration file uses it too. */
  readonly name: string;
  /** The option's key in the library. Flags that are two values of one setting share a key. */
  readonly key: string;
  /** The letter or digit of the short form, such as `p` for `-p`. */
  readonly short?: string;
  /** The placeholder of the value in help. */
  readonly argument?: string;
  /** The heading in help. Definitions of one group are adjacent in the table. */
  readonly group: string;
  /** What the option does, in one or more sentences. Help adds the default and the bounds. */
  readonly help: string;
  /** The only end that accepts the option. Default: both accept it. */
  readonly role?: Role;
  /** Where the option has an effect; elsewhere it is an error. Default: everywhere. */
  readonly scope?: Scope;
  /** The option may be given more than once, and the library accepts an array. */
  readonly repeatable?: true;
  /** The option concerns the process, not a tunnel. Only the command line and the environment accept it. */
  readonly cliOnly?: true;
  /**
   * The option has no flag. The environment variable `UDPTUNNEL_<NAME>` gives it; the library accepts it too.
   */
  readonly environmentOnly?: true;
  /** The option is the operand of the command line and has no flag. */
  readonly operand?: true;
  /** The option's line in the short help. Without it, only the long help lists the option. */
  readonly usual?: string;
}

/** On or off. With `means`, the flag sets its key to that value instead. */
interface FlagDefinition extends CommonDefinition {
  readonly kind: "flag";
  readonly means?: number;
}

/** A flag whose value is how many times it is given. */
interface CountDefinition extends CommonDefinition {
  readonly kind: "count";
}

/**
 * A whole number in the library's unit. Outside the library, `duration` and `bytes` accept a fraction or a
 * suffix.
 */
export interface NumberDefinition extends CommonDefinition {
  readonly kind: "integer" | "duration" | "bytes" | "tos";
  readonly argument: string;
  /** In the library's unit, as `min` and `max` are. */
  readonly default?: number;
  readonly min: number;
  readonly max: number;
  /** The number of library units in one unit of the command line. Default: 1. */
  readonly scale?: number;
  /** The name of the unit on the command line and in the library. */
  readonly unit?: readonly [cli: string, library: string];
  /** What help shows as the default when it is not a fixed number. */
  readonly defaultText?: string;
}

/** One of a few words. */
interface ChoiceDefinition extends CommonDefinition {
  readonly kind: "choice";
  readonly argument: string;
  readonly choices: readonly string[];
  readonly default: string;
}

/**
 * Text that is not empty. `host`: a name or an address literal; `address`: a literal; `network`:
 * `ADDR[/PREFIX]`; `pin`: see `readPin`.
 */
interface TextDefinition extends CommonDefinition {
  readonly kind: "text" | "host" | "address" | "network" | "pin";
  readonly argument: string;
}

/** A secret, or the name of the file that holds it. No message shows the secret. */
interface SecretDefinition extends CommonDefinition {
  readonly kind: "secret" | "secret file";
  readonly argument: string;
}

/** A host, a port and perhaps a time to live. The library also accepts an object. */
export interface EndpointDefinition extends CommonDefinition {
  readonly kind: "endpoint";
  readonly argument: string;
  readonly form: HostPortForm;
}

export type OptionDefinition =
  | FlagDefinition
  | CountDefinition
  | NumberDefinition
  | ChoiceDefinition
  | TextDefinition
  | SecretDefinition
  | EndpointDefinition;
