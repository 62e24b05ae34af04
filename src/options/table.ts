/**
 * The table of all options. CONTRIBUTING.md lists the files to change for a new option. The command line,
 * validation, help, the README and the manual page follow from the definitions.
 */

import type { HostPort } from "./address.ts";
import type { OptionDefinition } from "./definition.ts";
import { LIMIT_OPTIONS } from "./definitions/limits.ts";
import { NETWORK_OPTIONS, PROGRAM_OPTIONS } from "./definitions/program.ts";
import { RELAY_OPTIONS } from "./definitions/relay.ts";
import { TLS_OPTIONS } from "./definitions/tls.ts";
import type { Secret } from "./secret.ts";

const TUNNEL_OPTIONS = [...RELAY_OPTIONS, ...TLS_OPTIONS, ...LIMIT_OPTIONS, ...NETWORK_OPTIONS] as const;

/** Every option, in the order of help. */
export const OPTIONS: readonly OptionDefinition[] = [...TUNNEL_OPTIONS, ...PROGRAM_OPTIONS];

type TunnelDefinition = (typeof TUNNEL_OPTIONS)[number];
type ProgramDefinition = (typeof PROGRAM_OPTIONS)[number];

type One<D> = D extends { means: infer Value }
  ? Value
  : D extends { kind: "flag" }
    ? boolean
    : D extends { kind: "count" }
      ? number
      : D extends { kind: "secret" | "secret file" }
        ? Secret
        : D extends { choices: readonly (infer Word)[] }
          ? Word
          : D extends { kind: "endpoint" }
            ? HostPort
            : D extends { min: number }
              ? number
              : string;

type Value<D> = D extends { repeatable: true } ? readonly One<D>[] : One<D>;

/** The definitions whose options always have a value. */
type Certain<D> =
  | Extract<D, { default: unknown } | { repeatable: true } | { kind: "count" }>
  | Exclude<Extract<D, { kind: "flag" }>, { means: unknown }>;

/** The values of these options by key, after reading. */
type ValuesOf<D extends { key: string }> = {
  readonly [C in Certain<D> & { key: string } as C["key"]]: Value<C>;
} & {
  readonly [O in Exclude<D, Certain<D>> as O["key"]]?: Value<O>;
};

/** The values of a tunnel's options, with defaults filled in. */
export type OptionValues = ValuesOf<TunnelDefinition>;

/** The values of the options that concern the process, with defaults filled in. */
export type ProgramOptions = ValuesOf<ProgramDefinition>;

/** The library's keys of a tunnel's options. */
export type OptionKey = TunnelDefinition["key"];
