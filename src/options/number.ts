import type { InputStyle } from "./input-style.ts";
import { type ParseResult, parseError, quoted, read } from "./parse-result.ts";
import type { NumberSpec } from "./spec.ts";

/** The units a number of bytes may have: SI (1000) or IEC (1024), by their first letter and whether an `i` follows. */
const BYTES_TEXT = /^(-?\d+(?:\.\d+)?)\s*(?:([kmg])(i?)b?|b)?$/i;
const POWERS: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3 };

/** Code points of the Differentiated Services field by name: RFC 2474, 2597, 3246, 5865 and 8622. */
const DSCP: ReadonlyMap<string, number> = new Map([
  ["LE", 1],
  ["VA", 44],
  ["EF", 46],
  ["DF", 0],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => [`CS${n}`, n * 8] as const),
  ...[1, 2, 3, 4].flatMap((n) => [1, 2, 3].map((drop) => [`AF${n}${drop}`, n * 8 + drop * 2] as const)),
]);

/** Reads a number in the library's unit and within the row's bounds. */
export function readNumber(
  input: unknown,
  spec: NumberSpec,
  values: InputStyle["values"],
): ParseResult<number> {
  const number = toLibraryUnit(input, spec, values);
  if (number === undefined || Number.isNaN(number)) {
    return parseError(`${quoted(input)} is not a number; ${allowed(spec, values)}`);
  }
  if (!Number.isInteger(number) && Number.isFinite(number)) {
    return parseError(`${quoted(input)} is not a whole number; ${allowed(spec, values)}`);
  }
  if (number < spec.min) return parseError(`${quoted(input)} is too small; ${allowed(spec, values)}`);
  if (number > spec.max) return parseError(`${quoted(input)} is too large; ${allowed(spec, values)}`);
  return read(number);
}

function toLibraryUnit(input: unknown, spec: NumberSpec, values: InputStyle["values"]): number | undefined {
  if (spec.kind === "tos" && typeof input === "string") {
    const codePoint = DSCP.get(input.toUpperCase());
    // The lower two bits of the byte are ECN's (RFC 3168).
    if (codePoint !== undefined) return codePoint * 4;
  }
  if (values === "library") return typeof input === "number" ? input : undefined;
  const number = typeof input === "string" ? numberOf(input, spec.kind) : input;
  if (typeof number !== "number") return undefined;
  // Fractions of a second come from decimal text: 1.001 times 1000 is a little less than 1001.
  return spec.kind === "duration" ? Math.round(number * (spec.scale ?? 1)) : number * (spec.scale ?? 1);
}

function numberOf(text: string, kind: NumberSpec["kind"]): number | undefined {
  if (kind === "bytes") {
    const [, digits, prefix, binary] = BYTES_TEXT.exec(text) ?? [];
    if (digits === undefined) return undefined;
    return Math.round(Number(digits) * (binary ? 1024 : 1000) ** (POWERS[prefix?.toLowerCase() ?? ""] ?? 0));
  }
  return /^-?\d+(\.\d+)?$/.test(text) || /^0x[0-9a-f]+$/i.test(text) ? Number(text) : undefined;
}

function allowed(spec: NumberSpec, values: InputStyle["values"]): string {
  const unit = spec.unit?.[values === "library" ? 1 : 0];
  const bounds = values === "library" ? `${spec.min} to ${spec.max}` : formatBounds(spec);
  const named = spec.kind === "tos" ? " or a DSCP name such as EF, AF41, CS5 or LE" : "";
  const suffixed = spec.kind === "bytes" && values === "written";
  return `give ${bounds}${unit === undefined || suffixed ? "" : ` ${unit}`}${named}`;
}

/** The row's bounds in the command line's unit. */
export function formatBounds(spec: NumberSpec): string {
  return `${formatNumber(spec.min, spec)} to ${formatNumber(spec.max, spec)}`;
}

/** A number of the row's, as the command line takes it: a time in the row's unit, bytes with the longest exact suffix. */
export function formatNumber(value: number, spec: NumberSpec): string {
  if (spec.kind !== "bytes") return String(value / (spec.scale ?? 1));
  const units = [
    [1024 ** 3, "GiB"],
    [1024 ** 2, "MiB"],
    [1024, "KiB"],
  ] as const;
  const [bytes, suffix] = units.find(([bytes]) => value >= bytes && value % bytes === 0) ?? [1, ""];
  return `${value / bytes}${suffix}`;
}
