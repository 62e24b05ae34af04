import { describe, expect, test } from "bun:test";
import { type OptionsError, TunnelError } from "../../src/errors.ts";
import type { NumberDefinition } from "../../src/options/definition.ts";
import { readClientOptions, readServerOptions, type Settings } from "../../src/options/settings.ts";
import { OPTIONS, type OptionKey, type OptionValues } from "../../src/options/table.ts";
import type { ClientOptions, ServerOptions } from "../../src/options/tunnel-options.ts";
import { client, type Loose, problemsOf, server } from "./given.ts";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const sameKeys: Same<keyof ServerOptions | keyof ClientOptions, OptionKey> = true;
const sameSettings: Same<
  Exclude<keyof Settings, "role" | "bindPort">,
  Exclude<OptionKey, "secretFile">
> = true;
type Plain = Omit<
  OptionValues,
  "secretFile" | "bind" | "listen" | "connect" | "target" | "maxSessionsPerAddress"
>;
const sameTypes: Same<
  Omit<Settings, "role" | "bind" | "bindPort" | "listen" | "connect" | "target" | "maxSessionsPerAddress">,
  Plain
> = true;

/**
 * Options whose library type is also the type of the setting. Addresses, lists and traffic classes have more
 * forms.
 */
type Scalar = Exclude<
  OptionKey,
  "listen" | "connect" | "target" | "bind" | "source" | "from" | "allow" | "tos" | "secret" | "secretFile"
>;
type Given = Required<ServerOptions & ClientOptions>;
const sameInputs: Same<
  { [K in Scalar]: NonNullable<Given[K]> },
  { [K in Scalar]: NonNullable<OptionValues[K]> }
> = true;

test("the types match the table", () => {
  // The compiler does the checks. This line only uses the constants.
  expect([sameKeys, sameSettings, sameTypes, sameInputs]).not.toContain(false);
});

const DEFAULTS: Omit<Settings, "role" | "listen" | "connect" | "target"> = {
  rtp: false,
  tls: false,
  once: false,
  loop: false,
  udpSendOnly: false,
  udpReceiveOnly: false,
  anySource: false,
  perSource: false,
  anyPort: false,
  source: [],
  from: [],
  allow: [],
  requireAuth: false,
  deadAfterMs: 15_000,
  idleTimeoutMs: 180_000,
  maxSessions: 8192,
  maxSessionsPerAddress: 8192,
  maxDelayMs: 200,
  queueBytesMax: 4_194_304,
  inFlight: "auto",
  offload: "auto",
  socketBufferBytes: 4_194_304,
};

test("a server's settings have the defaults and nothing else that was not given", () => {
  expect(readServerOptions({ listen: "[::1]:6000", target: "224.2.0.1/5000/16" })).toStrictEqual({
    ...DEFAULTS,
    role: "server",
    listen: { address: "::1", port: 6000 },
    connect: [],
    target: { host: "224.2.0.1", port: 5000, ttl: 16 },
  });
});

test("a client's settings; the port of a server defaults to the UDP port", () => {
  const connect = ["a", "b/6000", { host: "c" }, { host: "::1", port: 7000 }];
  expect(readClientOptions({ connect, target: { host: "h", port: 5000 } })).toStrictEqual({
    ...DEFAULTS,
    role: "client",
    connect: [
      { host: "a", port: 5000 },
      { host: "b", port: 6000 },
      { host: "c", port: 5000 },
      { host: "::1", port: 7000 },
    ],
    target: { host: "h", port: 5000 },
  });
});

test("undefined counts as not given", () => {
  const nothing = Object.fromEntries(OPTIONS.map(({ key }) => [key, undefined]));
  expect(server({ ...nothing, listen: 5000, target: "h/5000" })).toStrictEqual(server({}));
});

test("maxSessionsPerAddress defaults to maxSessions", () => {
  expect(server({ perSource: true, maxSessions: 7 }).maxSessionsPerAddress).toBe(7);
  expect(server({ perSource: true, maxSessions: 7, maxSessionsPerAddress: 3 }).maxSessionsPerAddress).toBe(3);
});

test("port 0 is allowed only where the caller alone must know the port", () => {
  expect(server({ listen: 0 }).listen).toEqual({ port: 0 });
  expect(server({ listen: "localhost/0" }).listen).toEqual({ address: "localhost", port: 0 });
  expect(server({ listen: { address: "::1", port: 0 } }).listen).toEqual({ address: "::1", port: 0 });
  expect(client({ connect: "a/1", target: "::1/0", perSource: true }).target.port).toBe(0);
  expect(problemsOf(() => client({ connect: "a", target: "::1/0", perSource: true }))).toEqual([
    "connect: has no port, and the port of target is 0; give the server's port",
  ]);
  expect(problemsOf(() => client({ connect: "a/1", target: "h/0" }))[0]).toStartWith(
    "target: port 0 cannot be sent to",
  );
  expect(problemsOf(() => server({ target: "h/0", perSource: true }))[0]).toStartWith(
    "target: port 0 cannot",
  );
  expect(problemsOf(() => client({ connect: "a/0" }))[0]).toContain('"0" is not a port');
});

const NUMBERS = OPTIONS.filter((definition): definition is NumberDefinition => "min" in definition);

/** The options that this option requires. */
const requiredBy = ({ scope }: NumberDefinition) => ({
  perSource: scope?.kinds?.every((kind) => kind.startsWith("session")) === true,
});

describe("each number's bounds", () => {
  test.each(NUMBERS.map((definition) => [definition.key, definition] as const))("%s", (key, definition) => {
    const at = (value: unknown) => () =>
      (server({ ...requiredBy(definition), [key]: value }) as unknown as Loose)[key];
    expect(at(definition.min)()).toBe(definition.min);
    expect(at(definition.max)()).toBe(definition.max);
    if (definition.default !== undefined) expect(at(undefined)()).toBe(definition.default);
    const small = problemsOf(at(definition.min - 1));
    expect(small).toHaveLength(1);
    expect(small[0]).toStartWith(
      `${key}: ${definition.min - 1} is too small; give ${definition.min} to ${definition.max}`,
    );
    expect(problemsOf(at(definition.max + 1))[0]).toStartWith(
      `${key}: ${definition.max + 1} is too large; give `,
    );
    expect(problemsOf(at(Number.POSITIVE_INFINITY))[0]).toContain("too large");
    for (const value of ["20", null, true, [], {}, Number.NaN]) {
      expect(problemsOf(at(value))[0]).toContain("is not a number; give ");
    }
    expect(problemsOf(at(definition.min + 0.5))[0]).toContain("is not a whole number");
  });
});

test("the bounds match the documentation", () => {
  expect(Object.fromEntries(NUMBERS.map(({ key, min, max }) => [key, [min, max]]))).toEqual({
    deadAfterMs: [2000, 3_600_000],
    idleTimeoutMs: [0, 604_800_000],
    maxSessions: [1, 1_000_000],
    maxSessionsPerAddress: [1, 1_000_000],
    maxDelayMs: [0, 600_000],
    queueBytesMax: [131_072, 1_073_741_824],
    unsentBytesMax: [4096, 1_073_741_824],
    socketBufferBytes: [4096, 1_073_741_824],
    tos: [0, 255],
    mark: [1, 4_294_967_295],
  });
});

describe("a DSCP name stands for its byte", () => {
  // IANA, "Differentiated Services Field Codepoints", each shifted past the two bits of ECN.
  test.each([
    ["EF", 0xb8],
    ["ef", 0xb8],
    ["AF11", 0x28],
    ["AF41", 0x88],
    ["AF43", 0x98],
    ["CS0", 0],
    ["CS5", 0xa0],
    ["CS7", 0xe0],
    ["LE", 0x04],
    ["DF", 0],
    ["VA", 0xb0],
  ] as const)("%s", (name, byte) => expect(server({ tos: name }).tos).toBe(byte));

  test.each(["AF14", "AF51", "CS8", "", "EF "])("%p is none", (name) => {
    expect(problemsOf(() => server({ tos: name }))).toHaveLength(1);
  });
});

describe("values of the wrong type", () => {
  const CASES: [what: Loose, problem: string][] = [
    [{ rtp: "yes" }, 'rtp: "yes" is not true or false; give one of these'],
    [{ family: 5 }, "family: 5 is not a family of addresses; give 4 or 6"],
    [{ offload: "on" }, 'offload: "on" is not allowed; give auto or off'],
    [{ inFlight: 1 }, "inFlight: 1 is not allowed; give auto or kernel"],
    [{ bind: 5 }, "bind: 5 is not text; give ADDR[/PORT]"],
    [{ bind: "" }, "bind: its value is missing; give ADDR[/PORT]"],
    [{ bind: "a!b" }, 'bind: "a!b" is not an address; give a host name, an IPv4 address or an IPv6 address'],
    [
      { source: ["host"], target: "ff02::1/5000" },
      'source: "host" is not an address; give an IPv4 or IPv6 address, not a name',
    ],
    [{ from: [["::1"]] }, 'from: ["::1"] is not text; give ADDR[/PREFIX]'],
    [{ listen: 70_000 }, "listen: 70000 is not a port; give a number from 0 to 65535"],
    [
      { listen: { host: "a", port: 1 } },
      'listen: "host" is unknown; give [TCP-addr/]TCP-port as text, or an object with address, port',
    ],
    [
      { target: { host: "h" } },
      'target: "port" is missing; give UDP-addr/UDP-port[/ttl] as text, or an object with host, port, ttl',
    ],
    [
      { target: { host: "h", port: 1, ttl: 256 } },
      "target: 256 is not a time to live; give a number from 0 to 255",
    ],
    [
      { target: { host: "1.2", port: 1 } },
      'target: "1.2" is not an address; give a host name, an IPv4 address or an IPv6 address',
    ],
    [{ target: 5000 }, "target: 5000 is not text; give UDP-addr/UDP-port[/ttl]"],
    [{ target: undefined }, "target: is missing; give UDP-addr/UDP-port[/ttl]"],
    [{ listen: undefined }, "listen: is missing; give [TCP-addr/]TCP-port"],
    [{ deadAfter: 5 }, 'deadAfter: is not an option; did you mean "deadAfterMs"?'],
    [{ maxdelay: 5 }, 'maxdelay: is not an option; did you mean "maxDelayMs"?'],
    [{ verbose: 1 }, "verbose: is not an option; leave it out"],
  ];
  test.each(CASES)("%j", (options, problem) => {
    expect(problemsOf(() => server(options))).toEqual([problem]);
  });

  test("a client without a server", () => {
    for (const connect of [undefined, []]) {
      expect(problemsOf(() => client({ connect }))).toEqual([
        "connect: is missing; give TCP-addr[/TCP-port]",
      ]);
    }
  });
});

test("all problems are thrown at once, with a code", () => {
  const wrong = {
    rtp: true,
    target: "h/1",
    perSource: true,
    deadAfterMs: 0,
    offload: "x",
    nonsense: 1,
    allow: ["a", "b"],
  };
  const caught = (() => {
    try {
      return server(wrong);
    } catch (error) {
      return error;
    }
  })();
  expect(caught).toBeInstanceOf(TunnelError);
  const error = caught as OptionsError;
  expect(error.code).toBe("ERR_OPTIONS");
  expect(error.name).toBe("OptionsError");
  expect(error.problems.map(({ option }) => option)).toEqual([
    "nonsense",
    "allow",
    "allow",
    "deadAfterMs",
    "offload",
    "target",
    "rtp",
  ]);
  expect(error.message).toBe(error.problems.map(({ option, problem }) => `${option}: ${problem}`).join("\n"));
});
