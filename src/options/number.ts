/** Parses and formats the numbers of options: durations, bytes, traffic classes, whole numbers. */

import type { NumberDefinition } from "./definition.ts";
import type { Notation } from "./input-style.ts";
import { quoted } from "./message-text.ts";
import { type ParseResult, parsed, parseError } from "./parse-result.ts";

/** A number of bytes with an optional suffix: SI (`k`, 1000) or IEC (`Ki`, 1024). */
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

/** Parses a number within the bounds of the definition. The result is in the library's unit. */
export function parseNumber(
  input: unknown,
  definition: NumberDefinition,
  notation: Notation,
): ParseResult<number> {
  const number = toLibraryUnit(input, definition, notation);
  if (number === undefined || Number.isNaN(number)) {
    return parseError(`${quoted(input)} is not a number; give ${allowedNumbers(definition, notation)}`);
  }
  if (!Number.isInteger(number) && Number.isFinite(number)) {
    return parseError(`${quoted(input)} is not a whole number; give ${allowedNumbers(definition, notation)}`);
  }
  if (number < definition.min)
    return parseError(`${quoted(input)} is too small; give ${allowedNumbers(definition, notation)}`);
  if (number > definition.max)
    return parseError(`${quoted(input)} is too large; give ${allowedNumbers(definition, notation)}`);
  return parsed(number);
}

function toLibraryUnit(input: unknown, definition: NumberDefinition, notation: Notation): number | undefined {
  if (definition.kind === "tos" && typeof input === "string") {
    const codePoint = DSCP.get(input.toUpperCase());
    // The lower two bits of the byte belong to ECN (RFC 3168).
    if (codePoint !== undefined) return codePoint * 4;
  }
  if (notation === "library") return typeof input === "number" ? input : undefined;
  const number = typeof input === "string" ? numberOf(input, definition.kind) : input;
  if (typeof number !== "number") return undefined;
  // Rounding is needed: 1.001 times 1000 is a little less than 1001.
  return definition.kind === "duration"
    ? Math.round(number * (definition.scale ?? 1))
    : number * (definition.scale ?? 1);
}

function numberOf(text: string, kind: NumberDefinition["kind"]): number | undefined {
  if (kind === "bytes") {
    const [, digits, prefix, binary] = BYTES_TEXT.exec(text) ?? [];
    if (digits === undefined) return undefined;
    return Math.round(Number(digits) * (binary ? 1024 : 1000) ** (POWERS[prefix?.toLowerCase() ?? ""] ?? 0));
  }
  return /^-?\d+(\.\d+)?$/.test(text) || /^0x[0-9a-f]+$/i.test(text) ? Number(text) : undefined;
}

/** The bounds with their unit, for messages. */
export function allowedNumbers(definition: NumberDefinition, notation: Notation): string {
  const unit = definition.unit?.[notation === "library" ? 1 : 0];
  const bounds = notation === "library" ? `${definition.min} to ${definition.max}` : formatBounds(definition);
  const named = definition.kind === "tos" ? " or a DSCP name such as EF, AF41, CS5 or LE" : "";
  const suffixed = definition.kind === "bytes" && notation === "written";
  return `${bounds}${unit === undefined || suffixed ? "" : ` ${unit}`}${named}`;
}

/** The bounds in the command line's unit. */
export function formatBounds(definition: NumberDefinition): string {
  return `${formatNumber(definition.min, definition)} to ${formatNumber(definition.max, definition)}`;
}

/** A number as the command line accepts it: in the option's unit, bytes with the largest exact suffix. */
export function formatNumber(value: number, definition: NumberDefinition): string {
  if (definition.kind !== "bytes") return String(value / (definition.scale ?? 1));
  const units = [
    [1024 ** 3, "GiB"],
    [1024 ** 2, "MiB"],
    [1024, "KiB"],
  ] as const;
  const [bytes, suffix] = units.find(([bytes]) => value >= bytes && value % bytes === 0) ?? [1, ""];
  return `${value / bytes}${suffix}`;
}
