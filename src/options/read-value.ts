/**
 * Reads the value of one option, by its definition. A problem names the value and what is allowed, not the
 * option.
 */

import { readPin } from "../net/tls/pin.ts";
import { type HostPortForm, parseHost, parseHostPort, parseLiteral, parseNetwork } from "./address.ts";
import type { EndpointDefinition, OptionDefinition } from "./definition.ts";
import type { Notation } from "./input-style.ts";
import { quoted } from "./message-text.ts";
import { allowedNumbers, parseNumber } from "./number.ts";
import { type ParseResult, parsed, parseError } from "./parse-result.ts";
import { readSecretFile, Secret } from "./secret.ts";

/** The value in the library's unit. When there are problems, it is undefined. */
export interface ValueResult {
  readonly value?: unknown;
  readonly problems: readonly string[];
}

/**
 * Reads a value with all its problems. Undefined gives the default; a repeatable option always gives an
 * array.
 */
export function readValue(definition: OptionDefinition, input: unknown, notation: Notation): ValueResult {
  if (input === undefined) return { value: defaultOf(definition), problems: [] };
  if (!definition.repeatable) return readOne(definition, input, notation);
  const results = (Array.isArray(input) ? input : [input]).map((one) => readOne(definition, one, notation));
  return collect(
    results,
    results.map(({ value }) => value),
  );
}

function defaultOf(definition: OptionDefinition): unknown {
  if (definition.repeatable) return [];
  if (definition.kind === "flag") return definition.means === undefined ? false : undefined;
  if (definition.kind === "count") return 0;
  return "default" in definition ? definition.default : undefined;
}

function readOne(definition: OptionDefinition, input: unknown, notation: Notation): ValueResult {
  if (
    definition.kind === "endpoint" &&
    typeof input === "object" &&
    input !== null &&
    !Array.isArray(input)
  ) {
    return readEndpointObject(input, definition, notation);
  }
  return toValueResult(parseOne(definition, input, notation));
}

function parseOne(definition: OptionDefinition, input: unknown, notation: Notation): ParseResult<unknown> {
  switch (definition.kind) {
    case "flag":
      return definition.means === undefined
        ? readWord(input, [true, false], "is not true or false; give one of these")
        : readWord(input, [4, 6], "is not a family of addresses; give 4 or 6");
    case "count":
      return readWhole(input, "a count", 0, 9);
    case "choice": {
      const words = definition.choices.join(" or ");
      if (input === "") return missingValue(words);
      return readWord(input, definition.choices, `is not allowed; give ${words}`);
    }
    case "secret":
      return readSecret(input);
    case "endpoint":
      return readEndpointText(input, definition, notation);
    case "text":
      return readText(input, definition.argument, parsed);
    case "host":
      return readText(input, definition.argument, parseHost);
    case "address":
      return readText(input, definition.argument, parseLiteral);
    case "network":
      return readText(input, definition.argument, parseNetwork);
    case "pin":
      return readText(input, definition.argument, checkPin);
    case "secret file":
      return readText(input, definition.argument, readSecretFile);
    default:
      return input === ""
        ? missingValue(allowedNumbers(definition, notation))
        : parseNumber(input, definition, notation);
  }
}

function readWord(input: unknown, words: readonly unknown[], problem: string): ParseResult<unknown> {
  return words.includes(input) ? parsed(input) : parseError(`${quoted(input)} ${problem}`);
}

function readText(
  input: unknown,
  argument: string,
  parse: (text: string) => ParseResult<unknown>,
): ParseResult<unknown> {
  if (input === "") return missingValue(argument);
  return typeof input === "string"
    ? parse(input)
    : parseError(`${quoted(input)} is not text; give ${argument}`);
}

/** No message may quote the secret. */
function readSecret(input: unknown): ParseResult<Secret> {
  return typeof input === "string" || input instanceof Uint8Array
    ? Secret.parse(input)
    : parseError("is neither text nor a Uint8Array; give one of these");
}

function checkPin(text: string): ParseResult<string> {
  return readPin(text) === undefined
    ? parseError(`${quoted(text)} is not a pin; give sha256: and 64 hexadecimal digits or 44 of base64`)
    : parsed(text);
}

function readWhole(input: unknown, what: string, min: number, max: number): ParseResult<number> {
  return typeof input === "number" && Number.isInteger(input) && input >= min && input <= max
    ? parsed(input)
    : parseError(`${quoted(input)} is not ${what}; give a number from ${min} to ${max}`);
}

/** @param allowed the values that are allowed, or the placeholder of the value in help. */
function missingValue(allowed: string): { readonly problem: string } {
  return parseError(`its value is missing; give ${allowed}`);
}

function readEndpointText(
  input: unknown,
  { form, argument }: EndpointDefinition,
  notation: Notation,
): ParseResult<unknown> {
  const portZero = allowsPortZero(form, notation);
  if (typeof input === "number" && form.hostOptional === true) {
    const port = readWhole(input, "a port", portZero ? 0 : 1, 65_535);
    return "problem" in port ? port : parsed({ port: port.value });
  }
  return readText(input, argument, (given) => parseHostPort(given, { ...form, portZero }));
}

function allowsPortZero({ portZero }: HostPortForm, notation: Notation): boolean {
  return portZero === true && notation === "library";
}

type Member = readonly [name: string, required: boolean, read: (input: unknown) => ParseResult<unknown>];

/**
 * In an address to listen on, the host is the member `address`; in one to connect or send to, it is `host`.
 */
function readEndpointObject(
  input: object,
  { form, argument }: EndpointDefinition,
  notation: Notation,
): ValueResult {
  const hostName = form.hostOptional === true ? "address" : "host";
  const members: readonly Member[] = [
    [hostName, form.hostOptional !== true, (host) => readText(host, "a host", parseHost)],
    [
      "port",
      form.portOptional !== true,
      (port) => readWhole(port, "a port", allowsPortZero(form, notation) ? 0 : 1, 65_535),
    ],
    ...(form.ttl === true
      ? [["ttl", false, (ttl: unknown) => readWhole(ttl, "a time to live", 0, 255)] as const]
      : []),
  ];
  const names = members.map(([name]) => name);
  const expected = `; give ${argument} as text, or an object with ${names.join(", ")}`;
  const given = input as Readonly<Record<string, unknown>>;
  const results = members.map(([name, required, readMember]): ValueResult => {
    const value = given[name];
    if (value === undefined && !required) return { problems: [] };
    if (!(name in given)) return { problems: [`"${name}" is missing${expected}`] };
    return toValueResult(readMember(value));
  });
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) results.push({ problems: [`${quoted(unknown)} is unknown${expected}`] });
  const values = members.map(([name], index) => [name === "address" ? "host" : name, results[index]?.value]);
  return collect(results, Object.fromEntries(values.filter(([, value]) => value !== undefined)));
}

function toValueResult(result: ParseResult<unknown>): ValueResult {
  return "problem" in result ? { problems: [result.problem] } : { value: result.value, problems: [] };
}

/** The value, or the problems of all its parts. */
function collect(parts: readonly ValueResult[], value: unknown): ValueResult {
  const problems = parts.flatMap((part) => part.problems);
  return problems.length > 0 ? { problems } : { value, problems };
}
