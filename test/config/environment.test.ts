import { describe, expect, test } from "bun:test";
import { type Arguments, parseArguments } from "../../src/cli/arguments.ts";
import type { Environment } from "../../src/config/environment.ts";

const parse = (env: Environment, ...argv: string[]): Arguments => parseArguments(argv, env);
const problemsOf = (result: Arguments) => (result.kind === "invalid" ? result.problems : []);
const SERVER = { UDPTUNNEL_SERVER: "5000", UDPTUNNEL_TARGET: "host/4000" };

test("variables give options", () => {
  const env = {
    ...SERVER,
    UDPTUNNEL_MAX_DELAY: "50",
    UDPTUNNEL_ALLOW: "192.0.2.0/24, ::1",
    UDPTUNNEL_RTP: "true",
    UDPTUNNEL_ONCE: "0",
    UDPTUNNEL_IPV6: "1",
    UDPTUNNEL_BIND: "",
    UDPTUNNEL_VERBOSE: "2",
    PATH: "/bin",
  };
  const result = parse(env);
  expect(result).toMatchObject({
    kind: "run",
    program: { verbosity: 2 },
    settings: {
      role: "server",
      listen: { port: 5000 },
      target: { host: "host", port: 4000 },
      maxDelayMs: 50,
      allow: ["192.0.2.0/24", "::1"],
      rtp: true,
      once: false,
      family: 6,
    },
  });
  expect(result).not.toHaveProperty("settings.bind");
});

describe("the command line has priority", () => {
  test("option by option", () => {
    const env = { ...SERVER, UDPTUNNEL_MAX_DELAY: "50", UDPTUNNEL_IPV6: "true", UDPTUNNEL_VERBOSE: "2" };
    expect(parse(env, "--max-delay", "70", "-4", "-v", "other/1")).toMatchObject({
      settings: { maxDelayMs: 70, family: 4, listen: { port: 5000 }, target: { host: "other", port: 1 } },
      program: { verbosity: 1 },
    });
  });

  test("an end of the tunnel on the command line replaces the one in the environment", () => {
    expect(parse(SERVER, "-c", "peer/1")).toMatchObject({
      settings: { role: "client", connect: [{ port: 1 }] },
    });
  });
});

test("no variable asks for help or the version", () => {
  expect(parse({ ...SERVER, UDPTUNNEL_HELP: "1", UDPTUNNEL_VERSION: "1.2.3" }).kind).toBe("run");
});

test("problems name the variable", () => {
  const env = {
    UDPTUNNEL_SERVER: "99999",
    UDPTUNNEL_MAX_DELAY: "x",
    UDPTUNNEL_RTP: "maybe",
    UDPTUNNEL_MAX_DEALY: "5",
  };
  expect(problemsOf(parse({ ...env, UDPTUNNEL_VERBOSE: "very" }))).toEqual([
    "UDPTUNNEL_MAX_DEALY: is not an option; did you mean UDPTUNNEL_MAX_DELAY?",
    'UDPTUNNEL_RTP: "maybe" is not true or false; give one of these',
    'UDPTUNNEL_SERVER: "99999" is not a port; give a number from 1 to 65535',
    "UDP address: is missing; give UDP-addr/UDP-port[/ttl]",
    'UDPTUNNEL_MAX_DELAY: "x" is not a number; give 0 to 600000 milliseconds',
    'UDPTUNNEL_VERBOSE: "very" is not a count; give a number from 0 to 9',
  ]);
  expect(problemsOf(parse({ ...SERVER, UDPTUNNEL_CLIENT: "peer" }))).toEqual([
    "UDPTUNNEL_SERVER and UDPTUNNEL_CLIENT: are the two ends of a tunnel; give exactly one of them",
  ]);
});

test("variables of other programs are ignored", () => {
  const others = {
    UDPTUNNEL_PORT: "tcp://10.0.0.1:5000",
    UDPTUNNEL_SERVICE_HOST: "10.0.0.1",
    UDPTUNNEL_HOME: "/",
    UDPTUNNEL_TAG: "1.0",
  };
  expect(parse({ ...SERVER, ...others }).kind).toBe("run");
});

describe("a configuration file", () => {
  test("is compatible with options of the program, on the command line or in the environment", () => {
    expect(parse({ UDPTUNNEL_CONFIG: "f.toml" }, "-v", "--check")).toMatchObject({
      kind: "config",
      file: "f.toml",
      program: { verbosity: 1, check: true },
    });
  });

  test("is incompatible with options of a tunnel, wherever they are given", () => {
    const result = parse({ UDPTUNNEL_MAX_DELAY: "5" }, "--config", "f.toml", "-s", "5000", "h/1");
    const rest = "does not go with --config; give it in the file";
    expect(problemsOf(result)).toEqual(
      [`UDP address: ${rest}`, `-s: ${rest}`, `UDPTUNNEL_MAX_DELAY: ${rest}`].toSorted(),
    );
  });

  test("needs a name", () => {
    expect(problemsOf(parse({}, "--config"))).toEqual(["--config: its value is missing; give FILE"]);
  });
});
