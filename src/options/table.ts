/**
 * The one table of options. A row here, with its member in `TunnelOptions` and `Settings`, is all an option needs: the command
 * line, validation, help and the README follow.
 */

import type { HostPort } from "./address.ts";
import { LIMIT_ROWS } from "./limit-rows.ts";
import { RELAY_ROWS } from "./relay-rows.ts";
import type { OptionSpec } from "./spec.ts";
import { TLS_ROWS } from "./tls-rows.ts";

const ROWS = [...RELAY_ROWS, ...TLS_ROWS, ...LIMIT_ROWS] as const;

/** Every option, in the order help shows them. */
export const OPTIONS: readonly OptionSpec[] = ROWS;

type Row = Exclude<(typeof ROWS)[number], { cliOnly: true }>;

type One<R> = R extends { means: infer Value }
  ? Value
  : R extends { kind: "flag" }
    ? boolean
    : R extends { choices: readonly (infer Word)[] }
      ? Word
      : R extends { kind: "endpoint" }
        ? HostPort
        : R extends { min: number }
          ? number
          : string;

type Value<R> = R extends { repeatable: true } ? readonly One<R>[] : One<R>;

type Certain =
  | Extract<Row, { default: unknown } | { repeatable: true }>
  | Exclude<Extract<Row, { kind: "flag" }>, { means: unknown }>;

/** What the rows of the library's options hold once read: defaults are filled in where a row has one. */
export type OptionValues = { readonly [R in Certain as R["key"]]: Value<R> } & {
  readonly [R in Exclude<Row, Certain> as R["key"]]?: Value<R>;
};

/** The library's names of its options. */
export type OptionKey = Row["key"];
