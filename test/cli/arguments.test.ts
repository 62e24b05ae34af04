import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Arguments, parseArguments } from "../../src/cli/arguments.ts";
import type { OptionDefinition } from "../../src/options/definition.ts";
import type { Settings } from "../../src/options/settings.ts";
import { OPTIONS } from "../../src/options/table.ts";

const parse = (line: string): Arguments => parseArguments(line.split(" ").filter((word) => word !== ""));

function settingsOf(line: string): Settings {
  const result = parse(line);
  if (result.kind !== "run") throw new Error(JSON.stringify(result));
  return result.settings;
}

function problemsOf(line: string): readonly string[] {
  const result = parse(line);
  return result.kind === "invalid" ? result.problems : [];
}

describe("a command line of the original", () => {
  test("starts a server", () => {
    expect(settingsOf("-s 5000 host/6000")).toMatchObject({
      role: "server",
      listen: { port: 5000 },
      connect: [],
      target: { host: "host", port: 6000 },
    });
  });

  test("starts a client, whose TCP port is the UDP port unless given", () => {
    expect(settingsOf("-c peer host/6000").connect).toEqual([{ host: "peer", port: 6000 }]);
    expect(settingsOf("-c peer/5000 host/6000").connect).toEqual([{ host: "peer", port: 5000 }]);
    expect(settingsOf("-c a -c b/1 --client=c host/6000").connect).toEqual([
      { host: "a", port: 6000 },
      { host: "b", port: 1 },
      { host: "c", port: 6000 },
    ]);
  });

  test("can combine letters, join a value to its letter, and have options after the operand", () => {
    for (const line of [
      "-rv -s 5000 h/2",
      "-rvs5000 h/2",
      "h/2 -vrs 5000",
      "--rtp --server=5000 -v -- h/2",
    ]) {
      expect(parse(line)).toMatchObject({
        kind: "run",
        program: { verbosity: 1 },
        settings: { rtp: true, listen: { port: 5000 } },
      });
    }
    expect(parse("-s5000 -vv h/2")).toMatchObject({ program: { verbosity: 2 } });
    expect(parse("-s5000 h/2 -v --verbose -v")).toMatchObject({ program: { verbosity: 3 } });
    expect(parse("-s5000 h/2")).toMatchObject({ program: { verbosity: 0 } });
  });

  test("can have the parts of the operand separate or joined", () => {
    const target = { host: "224.2.0.1", port: 5000, ttl: 16 };
    for (const operand of [
      "224.2.0.1/5000/16",
      "224.2.0.1 5000 16",
      "224.2.0.1/5000 16",
      "224.2.0.1 5000/16",
    ]) {
      expect(settingsOf(`-s 1 ${operand}`).target).toEqual(target);
    }
    expect(parseArguments(["-s", "1", "224.2.0.1 5000 16"])).toMatchObject({ settings: { target } });
    expect(settingsOf("-s 1 fe80::1%eth0 5000").target).toEqual({ host: "fe80::1%eth0", port: 5000 });
    expect(settingsOf("-s 1 [::1]:5000 -v").target).toEqual({ host: "::1", port: 5000 });
  });

  test("can give a flag twice", () => {
    expect(settingsOf("-r -r -s 2 h/2").rtp).toBe(true);
    expect(settingsOf("-4 --ipv4 -s 2 h/2").family).toBe(4);
  });
});

describe("help and version take precedence", () => {
  test.each([
    ["-h", { kind: "help", long: false }],
    ["--help", { kind: "help", long: true }],
    ["-h --help", { kind: "help", long: true }],
    ["--nonsense -vh", { kind: "help", long: false }],
    ["-V", { kind: "version" }],
    ["--version --nonsense", { kind: "version" }],
    ["-V -h", { kind: "help", long: false }],
  ] as const)("%s", (line, expected) => expect(parse(line)).toEqual(expected));
});

describe("each problem is one line", () => {
  test.each([
    [
      "h/5000",
      "-s or -c: is missing; give -s TCP-port to be the server, or -c TCP-addr[/TCP-port] to be the client",
    ],
    ["-s 1 -c a h/5000", "-s and -c: are the two ends of a tunnel; give exactly one of them"],
    ["-s 1", "UDP address: is missing; give UDP-addr/UDP-port[/ttl]"],
    ["-s 1 host", 'UDP address: "host" has no port; give one after a slash: host/5000'],
    ["-s 1 host/0", 'UDP address: "host/0": "0" is not a port; give a number from 1 to 65535'],
    ["-s 0 h/1", '-s: "0" is not a port; give a number from 1 to 65535'],
    ["--server 65536 h/1", '--server: "65536" is not a port; give a number from 1 to 65535'],
    [
      "-s 1 h/5000/256",
      'UDP address: "h/5000/256": "256" is not a time to live; give a number from 0 to 255',
    ],
    ["-s 1 h 5000 16 more", '"more": too many arguments; give one UDP-addr/UDP-port[/ttl]'],
    ["-s 1 h/5000 --quue 5MiB", "--quue: is not an option; did you mean --queue?"],
    ["-s 1 h/5000 --xyzzy", "--xyzzy: is not an option; --help lists all options"],
    ["-s 1 h/5000 -z", "-z: is not an option; --help lists all options"],
    ["-s 1 h/5000 --__proto__", "--__proto__: is not an option; --help lists all options"],
    ["-s 1 h/5000 --once=yes", '--once: takes no value, but "yes" was given; leave it out'],
    ["-s 1 h/5000 --verbose=2", '--verbose: takes no value, but "2" was given; leave it out'],
    ["h/5000 -s", "-s: its value is missing; give [TCP-addr/]TCP-port"],
    [
      "-s 1 h/5000 --tos --mark 5",
      "--tos: its value is missing; give 0 to 255 or a DSCP name such as EF, AF41, CS5 or LE",
    ],
    [
      "-s 1 h/5000 --tos -- ",
      "--tos: its value is missing; give 0 to 255 or a DSCP name such as EF, AF41, CS5 or LE",
    ],
    ["-s 1 h/5000 --dead-after", "--dead-after: its value is missing; give 2 to 3600 seconds"],
    ["-s 1 h/5000 --log", "--log: its value is missing; give text or json"],
    ["-s 1 h/5000 --from=", "--from: its value is missing; give ADDR[/PREFIX]"],
    ["-vs -4 h/5000", '-s: "-4" is not an address; give a host name, an IPv4 address or an IPv6 address'],
    ["-s 1 h/5000 -s 2", '-s: is given twice, as "1" and as "2"; give it once'],
    ["-s 1 h/5000 --bind a --bind=b", '--bind: is given twice, as "a" and as "b"; give it once'],
    ["-s 1 h/5000 -4 --ipv6", "--ipv6: contradicts -4; give one of them"],
    [
      "-s 1 ::1/5000 -4",
      'UDP address: "::1" is not an IPv4 address, and -4 allows no other; change one of them',
    ],
    [
      "-s 1 h/5000 -S --udp-receive-only",
      "-S: with --udp-receive-only, nothing would be relayed; give one of them",
    ],
    [
      "-s 2 h/5001 -r",
      "UDP address: port 5001 is odd; with -r ports N and N+1 are used, so give an even one",
    ],
    ["-c h h/5000 --allow ::1", "--allow: is for the server only; leave it out"],
    ["-s 1 h/5000 --dead-after -1", '--dead-after: "-1" is too small; give 2 to 3600 seconds'],
    ["-s 1 h/5000 --dead-after=-1", '--dead-after: "-1" is too small; give 2 to 3600 seconds'],
    ["-s 1 h/5000 --dead-after 3601", '--dead-after: "3601" is too large; give 2 to 3600 seconds'],
    ["-s 1 h/5000 --dead-after 5s", '--dead-after: "5s" is not a number; give 2 to 3600 seconds'],
    ["-s 1 h/5000 --max-delay 600001", '--max-delay: "600001" is too large; give 0 to 600000 milliseconds'],
    ["-s 1 h/5000 --queue 127KiB", '--queue: "127KiB" is too small; give 128KiB to 1GiB'],
    ["-s 1 h/5000 --queue 4TB", '--queue: "4TB" is not a number; give 128KiB to 1GiB'],
    ["-s 1 h/5000 --max-sessions 1.5", '--max-sessions: "1.5" is not a whole number; give 1 to 1000000'],
    [
      "-s 1 h/5000 --tos 256",
      '--tos: "256" is too large; give 0 to 255 or a DSCP name such as EF, AF41, CS5 or LE',
    ],
    ["-s 1 h/5000 --in-flight off", '--in-flight: "off" is not allowed; give auto or kernel'],
  ])("%s", (line, problem) => expect(problemsOf(line)).toEqual([problem]));
});

test("all problems are reported at once", () => {
  const line =
    "-s 1 -c 5 --nonsense --idle=x --rtp=1 --bind --mark -7 -S -R --max-delay 1 --max-delay 2 h/5001 --from a";
  expect(problemsOf(line).map((problem) => problem.slice(0, problem.indexOf(":")))).toEqual([
    "--nonsense",
    "--rtp",
    "--max-delay",
    "-s and -c",
    "-c",
    "--bind",
    "--from",
    "--idle",
    "--mark",
    "-S",
    "-s",
    "UDP address",
  ]);
});

describe("numbers are in the command line's units", () => {
  test.each([
    ["--dead-after 2.001", { deadAfterMs: 2001 }],
    ["--dead-after 3600", { deadAfterMs: 3_600_000 }],
    ["-p --idle 0", { idleTimeoutMs: 0 }],
    ["-p --idle 0.5", { idleTimeoutMs: 500 }],
    ["--max-delay 0", { maxDelayMs: 0 }],
    ["--queue 131072", { queueBytesMax: 131_072 }],
    ["--queue 128KiB", { queueBytesMax: 131_072 }],
    ["--queue 1MiB", { queueBytesMax: 1_048_576 }],
    ["--queue 200k", { queueBytesMax: 200_000 }],
    ["--queue 1.5M", { queueBytesMax: 1_500_000 }],
    ["--queue 2MB", { queueBytesMax: 2_000_000 }],
    ["--queue 1GiB", { queueBytesMax: 1_073_741_824 }],
    ["--unsent 4096", { unsentBytesMax: 4096 }],
    ["--socket-buffer 64KiB", { socketBufferBytes: 65_536 }],
    ["--tos 0xb8", { tos: 184 }],
    ["--tos ef", { tos: 184 }],
    ["--tos 46", { tos: 46 }],
    ["--mark 0xffffffff", { mark: 4_294_967_295 }],
  ] as const)("%s", (line, settings) => expect(settingsOf(`-s 1 h/5000 ${line}`)).toMatchObject(settings));
});

/** A value that each kind of option takes, and not its default. */
function sampleOf(definition: OptionDefinition): string | undefined {
  if (definition.key === "bind") return "192.0.2.1";
  switch (definition.kind) {
    case "flag":
    case "count":
      return undefined;
    case "choice":
      return definition.choices.find((word) => word !== definition.default);
    case "endpoint":
      return "localhost/4000";
    case "integer":
    case "duration":
    case "bytes":
    case "tos":
      return String(definition.max / (definition.scale ?? 1));
    case "pin":
      return `sha256:${"0".repeat(64)}`;
    default:
      return "192.0.2.1";
  }
}

/** The options that this option requires. */
function requiredBy({ group, name, role = "server", scope }: OptionDefinition): string[] {
  if (scope?.kinds?.every((kind) => kind.startsWith("session"))) return ["--per-source"];
  if (group !== "Encryption") return [];
  const pair = role === "server" ? ["--cert=a", "--key=b"] : [];
  return ["--tls", ...pair].filter((given) => !given.startsWith(`--${name}`));
}

describe("every option can be given", () => {
  // These need a file or each other: see test/cli/secret.test.ts.
  const ownTests = ["secret", "secret-file", "require-auth"];
  const tested = OPTIONS.filter(
    ({ cliOnly, operand, name }) => !cliOnly && !operand && !ownTests.includes(name),
  );
  test.each(tested.map((definition) => [definition.name, definition] as const))(
    "--%s",
    (name, definition) => {
      const role = definition.role ?? "server";
      const end = { server: ["--server=2"], client: ["--client=localhost/4"] }[role];
      const ends = definition.key === "listen" || definition.key === "connect" ? [] : end;
      const target = definition.group === "Multicast" ? "224.2.0.1/4000" : "host/4000";
      const bare = parseArguments([...end, target]);
      const value = sampleOf(definition);
      const given = value === undefined ? [`--${name}`] : [`--${name}`, value];
      const full = parseArguments([...ends, target, ...requiredBy(definition), ...given]);
      if (full.kind !== "run" || bare.kind !== "run") throw new Error(JSON.stringify(full));
      const read = (settings: Settings) => (settings as unknown as Record<string, unknown>)[definition.key];
      expect(read(full.settings)).toBeDefined();
      expect(read(full.settings)).not.toEqual(read(bare.settings));
      if (definition.short === undefined) return;
      expect(parseArguments([...ends, target, `-${definition.short}${value ?? ""}`])).toEqual(full);
    },
  );
});

test("no arguments make the parser throw", () => {
  const flags = OPTIONS.flatMap(({ name, short }) => [
    `--${name}`,
    `--${name}=`,
    ...(short ? [`-${short}`] : []),
  ]);
  const word = fc.oneof(fc.constantFrom(...flags, "--", "-", "-5", "h/5000", "5000"), fc.string());
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
      const result = parseArguments(argv);
      if (result.kind !== "invalid") return;
      expect(result.problems.length).toBeGreaterThan(0);
      for (const problem of result.problems) expect(problem).toMatch(/^.+: .+$/s);
    }),
  );
});
