import * as v from "valibot";
import { readPin } from "../net/tls/pin.ts";
import { parseHostPort, readAddress, readHost, readNetwork } from "./address.ts";
import type { InputStyle } from "./input-style.ts";
import { readNumber } from "./number.ts";
import { type ParseResult, parseError, quoted } from "./parse-result.ts";
import { Secret } from "./secret.ts";
import { readSecretFile } from "./secret-file.ts";
import type { EndpointSpec, OptionSpec } from "./spec.ts";

type Schema = v.GenericSchema<unknown, unknown>;

/**
 * What an option's value must be, as a valibot schema whose output is in the library's unit with the default filled in. Every
 * issue's message says what is wrong and what to give instead; it does not name the option.
 */
export function schemaOf(spec: OptionSpec, style: InputStyle): Schema {
  const one = oneSchema(spec, style);
  if (spec.repeatable) {
    return v.optional(
      v.pipe(
        v.unknown(),
        v.transform((input) => (Array.isArray(input) ? input : [input])),
        v.array(one),
      ),
      [],
    );
  }
  if (spec.kind === "flag" && spec.means === undefined) return v.optional(one, false);
  if (spec.kind === "count") return v.optional(one, 0);
  return v.optional(one, "default" in spec ? defaultInput(spec.default, spec, style) : undefined);
}

/** A default passes the schema like anything given, so it is put in the style's unit. */
function defaultInput(value: unknown, spec: OptionSpec, { values }: InputStyle): unknown {
  const scale = "scale" in spec && values === "written" ? (spec.scale ?? 1) : 1;
  return typeof value === "number" ? value / scale : value;
}

function oneSchema(spec: OptionSpec, style: InputStyle): Schema {
  switch (spec.kind) {
    case "flag":
      return spec.means === undefined
        ? v.boolean(({ input }) => `${quoted(input)} is not true or false; give one of these`)
        : v.picklist([4, 6], ({ input }) => `${quoted(input)} is not a family of addresses; give 4 or 6`);
    case "count":
      return whole("a number of times", 0, 9);
    case "choice":
      return v.picklist(
        spec.choices,
        ({ input }) => `${quoted(input)} is not one of its words; give ${spec.choices.join(" or ")}`,
      );
    case "endpoint":
      return endpointSchema(spec, style);
    case "text":
      return text(spec.argument, (value) => ({ value }));
    case "host":
      return text(spec.argument, readHost);
    case "address":
      return text(spec.argument, readAddress);
    case "secret":
      return reader(readSecret);
    case "secret file":
      return text(spec.argument, readSecretFile);
    case "network":
      return text(spec.argument, readNetwork);
    case "pin":
      return text(spec.argument, (value) =>
        readPin(value) === undefined
          ? parseError(`${quoted(value)} is no pin; give sha256: and 64 hexadecimal digits or 44 of base64`)
          : { value },
      );
    default:
      return reader((input) =>
        input === "" ? nothing(spec.argument) : readNumber(input, spec, style.values),
      );
  }
}

/** The schema of a value that `readOne` can read. */
function reader(readOne: (input: unknown) => ParseResult<unknown>): Schema {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const reading = readOne(dataset.value);
      if ("value" in reading) return reading.value;
      addIssue({ message: reading.problem });
      return NEVER;
    }),
  );
}

function text(argument: string, readText: (text: string) => ParseResult<unknown>): Schema {
  return reader((input) => {
    if (input === "") return nothing(argument);
    return typeof input === "string"
      ? readText(input)
      : parseError(`${quoted(input)} is not text; give ${argument}`);
  });
}

/** No message may show what was given. */
function readSecret(input: unknown): ParseResult<Secret> {
  return typeof input === "string" || input instanceof Uint8Array
    ? Secret.read(input)
    : parseError("is neither text nor a Uint8Array; give one of these");
}

/** Nothing was given where a value must be. */
function nothing(argument: string): { readonly problem: string } {
  return parseError(`its value is missing; give ${argument}`);
}

function endpointSchema(spec: EndpointSpec, { values }: InputStyle): Schema {
  const form = { ...spec.form, portZero: spec.form.portZero === true && values === "library" };
  const written = text(spec.argument, (input) => parseHostPort(input, form));
  const object = endpointObjectSchema(spec);
  return v.lazy((input) => {
    if (typeof input === "object" && input !== null) return object;
    return typeof input === "number" && form.hostOptional === true
      ? v.pipe(
          v.unknown(),
          v.transform((port) => String(port)),
          written,
        )
      : written;
  });
}

/** Where one listens the object's member is an `address`, where one connects or sends it is a `host`. */
function endpointObjectSchema({ form, argument }: EndpointSpec): Schema {
  const host = text("a host", readHost);
  const port = whole("a port", form.portZero === true ? 0 : 1, 65_535);
  const entries: Record<string, Schema> = {
    ...(form.hostOptional === true ? { address: v.optional(host) } : { host }),
    port: form.portOptional === true ? v.optional(port) : port,
    ...(form.ttl === true ? { ttl: v.optional(whole("a time to live", 0, 255)) } : {}),
  };
  const members = Object.keys(entries).join(", ");
  return v.pipe(
    v.strictObject(entries, ({ input, expected }) => {
      const found = input === undefined ? `${expected} is missing` : `${quoted(input)} is unknown`;
      return `${found}; give ${argument} as text, or an object with ${members}`;
    }),
    v.transform(({ address, host = address, ...rest }) => {
      return Object.fromEntries(Object.entries({ host, ...rest }).filter(([, part]) => part !== undefined));
    }),
  );
}

function whole(what: string, min: number, max: number): Schema {
  return reader((input) => {
    const valid = typeof input === "number" && Number.isInteger(input) && input >= min && input <= max;
    return valid
      ? { value: input }
      : parseError(`${quoted(input)} is not ${what}; give a number from ${min} to ${max}`);
  });
}
