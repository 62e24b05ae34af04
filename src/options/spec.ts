/** What a row of the options table says about one option. The command line, the library and the documents all follow it. */

import type { HostPortForm } from "./address.ts";

/** The two ends of a tunnel: who waits for the TCP connection, and who makes it. */
export type Role = "server" | "client";

/**
 * The kind of a tunnel, as far as options depend on it: in peer mode by its UDP address (`link-local`: of IPv6), with
 * `perSource` by its end.
 */
export type TunnelKind = "unicast" | "link-local" | "multicast" | "session client" | "session server";

/** Where an option has an effect. */
export interface Scope {
  /** The kinds of tunnels; all, when missing. */
  readonly kinds?: readonly TunnelKind[];
  /** With this option it has no effect. */
  readonly notWith?: "udpSendOnly" | "udpReceiveOnly";
}

interface CommonSpec {
  /** The long name, without its hyphens; a configuration file uses it too. */
  readonly name: string;
  /** The library's name for it. Flags that are two values of one thing share a key. */
  readonly key: string;
  /** The one letter or digit after a single hyphen. */
  readonly short?: string;
  /** What help calls the value. */
  readonly argument?: string;
  /** The heading it stands under; rows of a group stand together. */
  readonly group: string;
  /** What it does, in a sentence or two; default and bounds are added from the row. */
  readonly help: string;
  /** The only end that takes it; both, when missing. */
  readonly role?: Role;
  /** Where it has an effect; everywhere, when missing. Elsewhere it is refused. */
  readonly scope?: Scope;
  /** It may be given more than once, and the library takes an array. */
  readonly repeatable?: true;
  /** It concerns the process and not one tunnel: the command line and the environment have it. */
  readonly cliOnly?: true;
  /** It has no flag: the environment variable `UDPTUNNEL_` and its name gives it. The library has it. */
  readonly environmentOnly?: true;
  /** It is the operand, and has no flag. */
  readonly operand?: true;
  /** The line it has in the short help; without one, only the long help shows it. */
  readonly usual?: string;
}

/** On or off; or, with `means`, the value its key has when the flag is given. */
export interface FlagSpec extends CommonSpec {
  readonly kind: "flag";
  readonly means?: number;
}

/** A flag that is stronger the more often it is given. */
export interface CountSpec extends CommonSpec {
  readonly kind: "count";
}

/** A whole number in the library's unit; `duration` and `bytes` may be written with a fraction or a suffix elsewhere. */
export interface NumberSpec extends CommonSpec {
  readonly kind: "integer" | "duration" | "bytes" | "tos";
  readonly argument: string;
  /** In the library's unit, as are the bounds. */
  readonly default?: number;
  readonly min: number;
  readonly max: number;
  /** Library units in one unit of the command line; 1, when missing. */
  readonly scale?: number;
  /** What a value counts, in the command line's unit and in the library's. */
  readonly unit?: readonly [cli: string, library: string];
  /** What help says in place of a default that is not a fixed number. */
  readonly defaultText?: string;
}

/** One of a few words. */
export interface ChoiceSpec extends CommonSpec {
  readonly kind: "choice";
  readonly argument: string;
  readonly choices: readonly string[];
  readonly default: string;
}

/**
 * `text`: anything but nothing; `host`: a name or an address literal; `address`: a literal; `network`: `ADDR[/PREFIX]`; `pin`: see
 * `readPin`.
 */
export interface TextSpec extends CommonSpec {
  readonly kind: "text" | "host" | "address" | "network" | "pin";
  readonly argument: string;
}

/** Bytes that are never shown, themselves or in the file named. */
export interface SecretSpec extends CommonSpec {
  readonly kind: "secret" | "secret file";
  readonly argument: string;
}

/** A host, a port and perhaps a time to live. The library also takes them as an object. */
export interface EndpointSpec extends CommonSpec {
  readonly kind: "endpoint";
  readonly argument: string;
  readonly form: HostPortForm;
}

export type OptionSpec =
  | FlagSpec
  | CountSpec
  | NumberSpec
  | ChoiceSpec
  | TextSpec
  | SecretSpec
  | EndpointSpec;
