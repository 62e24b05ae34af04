/**
 * The one table of options. A row here, with its member in `TunnelOptions` and `Settings`, is all an option needs: the command
 * line, validation, help and the README follow.
 */

import type { HostPort } from "./address.ts";
import { LIMIT_ROWS } from "./rows/limits.ts";
import { RELAY_ROWS } from "./rows/relay.ts";
import { TLS_ROWS } from "./rows/tls.ts";
import type { Secret } from "./secret.ts";
import type { OptionSpec } from "./spec.ts";

const ROWS = [...RELAY_ROWS, ...TLS_ROWS, ...LIMIT_ROWS] as const;

/** Every option, in the order help shows them. */
export const OPTIONS: readonly OptionSpec[] = ROWS;

type Row = (typeof ROWS)[number];
type ProgramRow = Extract<Row, { cliOnly: true }>;
type TunnelRow = Exclude<Row, ProgramRow>;

type One<R> = R extends { means: infer Value }
  ? Value
  : R extends { kind: "flag" }
    ? boolean
    : R extends { kind: "count" }
      ? number
      : R extends { kind: "secret" | "secret file" }
        ? Secret
        : R extends { choices: readonly (infer Word)[] }
          ? Word
          : R extends { kind: "endpoint" }
            ? HostPort
            : R extends { min: number }
              ? number
              : string;

type Value<R> = R extends { repeatable: true } ? readonly One<R>[] : One<R>;

type Certain<R> =
  | Extract<R, { default: unknown } | { repeatable: true } | { kind: "count" }>
  | Exclude<Extract<R, { kind: "flag" }>, { means: unknown }>;

/** What rows hold once read: defaults are filled in where a row has one. */
type ValuesOf<R extends Row> = { readonly [C in Certain<R> as C["key"]]: Value<C> } & {
  readonly [O in Exclude<R, Certain<R>> as O["key"]]?: Value<O>;
};

/** What the rows of the library's options hold once read. */
export type OptionValues = ValuesOf<TunnelRow>;

/** What the rows that concern the process and not one tunnel hold once read. */
export type ProgramOptions = ValuesOf<ProgramRow>;

/** The library's names of its options. */
export type OptionKey = TunnelRow["key"];
