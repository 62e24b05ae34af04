import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { readConfigFile } from "../../src/config/config-file.ts";
import { formatProblem, readConfigInSteps, TUNNELS_PER_STEP } from "../../src/config/read-config.ts";
import { OPTIONS } from "../../src/options/table.ts";
import { readConfig } from "../support/read-config.ts";

const problemsOf = (text: string) =>
  readConfig(text).problems.map((problem) => formatProblem("f.toml", problem));
const table = (...lines: string[]) => ["[tunnel.a]", ...lines, ""].join("\n");
const good = ["server = 5000", 'target = "h/4000"'];

describe("a valid file", () => {
  test("has a plan for each table, in the units of the command line", () => {
    const text = `
      [tunnel.media]
      server = 5000
      target = "localhost/4000"
      rtp = true
      dead-after = 2.5
      queue = "1MiB"
      allow = ["192.0.2.0/24", "::1"]
      [tunnel.dns]
      client = ["one.example/5353", "two.example"]
      target = { host = "::1", port = 53 }
      per-source = true
      ipv6 = true
      ipv4 = false
      tos = "EF"
    `;
    const { plans, problems } = readConfig(text);
    expect(problems).toEqual([]);
    expect(plans.map(({ name }) => name)).toEqual(["media", "dns"]);
    expect(plans[0]?.settings).toMatchObject({
      role: "server",
      listen: { port: 5000 },
      target: { host: "localhost", port: 4000 },
      rtp: true,
      deadAfterMs: 2500,
      queueBytesMax: 1_048_576,
      allow: ["192.0.2.0/24", "::1"],
    });
    expect(plans[1]?.settings).toMatchObject({
      role: "client",
      connect: [
        { host: "one.example", port: 5353 },
        { host: "two.example", port: 53 },
      ],
      target: { host: "::1", port: 53 },
      family: 6,
      tos: 184,
    });
  });

  test("may have indented, dotted and inline tables", () => {
    const { plans } = readConfig(
      'tunnel.a = { server = 1, target = "h/2" }\ntunnel.b.client = "h"\ntunnel.b.target = "h/3"',
    );
    expect(plans.map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("every problem names its line, its key and the allowed values", () => {
  test.each([
    [
      table("server = 5000", 'target = "h"'),
      'f.toml:3: tunnel.a.target: "h" has no port; give one after a slash: h/5000',
    ],
    [
      table(...good, "", "max-delay = 999999"),
      "f.toml:5: tunnel.a.max-delay: 999999 is too large; give 0 to 600000 milliseconds",
    ],
    [
      table(...good, "max-dealy = 5"),
      "f.toml:4: tunnel.a.max-dealy: is not an option; did you mean max-delay?",
    ],
    [table(...good, "zzz = 5"), "f.toml:4: tunnel.a.zzz: is not an option; leave it out"],
    [table(...good, "rtp = 1"), "f.toml:4: tunnel.a.rtp: 1 is not true or false; give one of these"],
    [
      table(...good, "ipv4 = true", "ipv6 = true"),
      "f.toml:5: tunnel.a.ipv6: contradicts ipv4; give one of them",
    ],
    [table(...good, 'offload = "on"'), 'f.toml:4: tunnel.a.offload: "on" is not allowed; give auto or off'],
    [table(...good, 'tcp-bind = "::1"'), "f.toml:4: tunnel.a.tcp-bind: is for the client only; leave it out"],
    [
      table(...good, "verbose = 1"),
      "f.toml:4: tunnel.a.verbose: is not an option of a tunnel; give it on the command line or in the environment",
    ],
    [table("server = 5000"), "f.toml:1: tunnel.a.target: is missing; give UDP-addr/UDP-port[/ttl]"],
    [
      table('target = "h/1"'),
      'f.toml:1: tunnel.a: server or client is missing; give server = "[TCP-addr/]TCP-port" or client = "TCP-addr[/TCP-port]"',
    ],
    [
      table(...good, 'client = "h"'),
      "f.toml:1: tunnel.a: server and client are the two ends of a tunnel; give exactly one of them",
    ],
    [
      table("server = { port = 0 }", 'target = "h/1"'),
      "f.toml:2: tunnel.a.server: 0 is not a port; give a number from 1 to 65535",
    ],
    [
      table('client = [["h/5"]]', 'target = "h/1"'),
      'f.toml:2: tunnel.a.client: ["h/5"] is not text; give TCP-addr[/TCP-port]',
    ],
    [
      table(...good, "allow = [", '  "192.0.2.0/24",', '  "nowhere",', "]"),
      'f.toml:4: tunnel.a.allow: "nowhere" is not a network; give an IPv4 or IPv6 address, or one with a prefix: 192.0.2.0/24',
    ],
    [
      `rtp = true\n${table(...good)}`,
      "f.toml:1: rtp: belongs in the table of a tunnel, such as [tunnel.media]",
    ],
    [
      `\nfoo = true\n${table(...good)}`,
      "f.toml:2: foo: is unknown; only tables such as [tunnel.media] are allowed here",
    ],
    ["", "f.toml: has no tunnel; give a table for each tunnel, such as [tunnel.media]"],
    ["tunnel = 5", "f.toml:1: tunnel: has no tunnel; give a table for each tunnel, such as [tunnel.media]"],
    [
      "\n[[tunnel]]\nserver = 1",
      "f.toml:2: tunnel: has no tunnel; give a table for each tunnel, such as [tunnel.media]",
    ],
    ["[tunnel]\na = 5", "f.toml:2: tunnel.a: is not a table; begin one with [tunnel.a]"],
    [
      '[tunnel."a b"]\nserver = 1\ntarget = "h/2"',
      'f.toml:1: tunnel.a b: "a b" cannot be a name; give letters, digits, ., - and _, beginning with a letter or a digit',
    ],
  ])("%#", (text, problem) => expect(problemsOf(text)).toEqual([problem]));

  test("the problems of all tables are reported at once", () => {
    const text = [table("server = 99999", 'target = "h/0"'), '[tunnel.b]\nclient = "h"\nonce = 1\n'].join(
      "\n",
    );
    expect(problemsOf(text)).toEqual([
      expect.stringContaining("f.toml:2: tunnel.a.server: "),
      expect.stringContaining("f.toml:3: tunnel.a.target: "),
      expect.stringContaining("f.toml:7: tunnel.b.once: "),
      expect.stringContaining("f.toml:5: tunnel.b.target: is missing"),
    ]);
  });
});

describe("two tunnels with the same port", () => {
  const two = (a: readonly string[], b: readonly string[]) =>
    problemsOf(["[tunnel.a]", ...a, "[tunnel.b]", ...b].join("\n"));

  test("are reported, for TCP and UDP", () => {
    expect(two(good, good)).toEqual([
      "f.toml:5: tunnel.b.server: would use TCP 5000, like tunnel a; give it another port",
      "f.toml:6: tunnel.b.target: would use UDP 4000, like tunnel a; give it another port, or its own bind",
    ]);
    const rtp = ['client = "c"', 'target = "h/4000"', 'bind = "10.0.0.1"', "rtp = true"];
    const odd = ['client = "c"', 'target = "g/4001"', 'bind = "10.0.0.1"'];
    expect(two(rtp, odd)).toEqual([expect.stringContaining("would use UDP 10.0.0.1/4001")]);
  });

  test("are allowed if they do not listen on it or listen on different addresses", () => {
    const others = [
      ['server = "10.0.0.1/5000"', 'target = "h/4000"', 'bind = "10.0.0.1"'],
      ["server = 5001", 'target = "h/4000"', "udp-send-only = true"],
      ["server = 5001", 'target = "h/4000"', "per-source = true"],
      ["server = 5001", 'target = "::1/4000"'],
      ["server = 5001", 'target = "224.2.0.1/4000"'],
    ];
    for (const other of others) expect(two(good, other)).toEqual([]);
  });
});

test("a shared option applies to tunnels that do not give it", () => {
  const definition = OPTIONS.find(({ name }) => name === "max-delay");
  if (definition === undefined) throw new Error("no such option");
  const text = `${table(...good)}\n[tunnel.b]\nclient = "h"\ntarget = "h/1"\nmax-delay = 7\n`;
  const shared = (value: unknown) => readConfig(text, [{ definition, value, name: "VARIABLE" }]);
  expect(shared("9").plans.map(({ settings }) => settings.maxDelayMs)).toEqual([9, 7]);
  expect(shared("x").problems).toEqual([
    {
      line: 1,
      path: ["tunnel", "a", "VARIABLE"],
      problem: '"x" is not a number; give 0 to 600000 milliseconds',
    },
  ]);
});

describe("a syntax error is reported with its line and without quoting the text", () => {
  const unread = (line: number, why: string) => `f.toml:${line}: cannot be read as TOML: ${why}`;
  test.each([
    ["a = 1\n\nb = \nc = 2", "f.toml:3: a value is missing after ="],
    [`${table(...good)}secret = hunter2\n`, "f.toml:4: a value cannot be read; put text in quotes"],
    ["a =", "f.toml:1: a value is missing after ="],
    ['a = [\n1,\n  junk\n]\nb = "x"', unread(3, "Unexpected character")],
    ['a = 1\nb = """\nnever\nended', unread(2, "Unterminated string constant")],
    ['a = """x"""\nb = "never', unread(2, "Unterminated string constant")],
    ["a = 1\r\na = 2\r\n", unread(2, "Defining a key multiple times is invalid")],
    ["[tunnel.a]\n[tunnel.b]\n[tunnel.a]\n", unread(3, "Defining a key multiple times is invalid")],
    ["a = 1\njunk\n\nb = 2\n", unread(2, "The key, equals sign, and value must be on the same line")],
    ["[tunnel.a", unread(1, "Unterminated table-key")],
    [
      `a = ${"{b=".repeat(20_000)}1${"}".repeat(20_000)}`,
      "f.toml: is nested too deeply, or has a value of more than 500,000 characters",
    ],
  ])("%#", (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});

describe("the work is proportional to the length of the file", () => {
  /** The least processor time, in microseconds, of several readings of a text that has a problem. */
  const costOf = (text: string) => {
    const costs = Array.from({ length: 4 }, () => {
      const before = process.cpuUsage();
      expect(readConfig(text).problems.length).toBeGreaterThan(0);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    return Math.min(...costs);
  };

  test.each([
    ["tunnels", (count: number) => manyTunnels(count)],
    ["parts of a key", (count: number) => `${"a.".repeat(count * 10)}a = 1\n`],
    ["parts of an option's key", (count: number) => `[tunnel.a]\nmark.${"a.".repeat(count * 10)}a = 1\n`],
  ])("%s", (_what, textOf) => {
    costOf(textOf(500));
    // Eight times the text: the square would be 64 times the work.
    expect(costOf(textOf(2000)) / costOf(textOf(250))).toBeLessThan(40);
  });

  test("and is interrupted between tunnels", () => {
    const steps = readConfigInSteps(manyTunnels(700), []);
    let pauses = 0;
    while (!steps.next().done) pauses++;
    expect(pauses).toBe(Math.ceil(700 / TUNNELS_PER_STEP));
  });
});

test("at most 20 unknown keys are reported one by one, and long keys are cut", () => {
  const keys = Array.from({ length: 50 }, (_, number) => `zz${number} = 1`);
  const lines = problemsOf(table(...good, ...keys));
  expect(lines.length).toBe(21);
  expect(lines.at(-1)).toBe("f.toml:1: tunnel.a: has 30 more unknown keys");
  const [long = ""] = problemsOf(table(...good, `${"k".repeat(10_000)} = 1`));
  expect(long).toEndWith("kk... (10000 characters): is not an option; leave it out");
  expect(long.length).toBeLessThan(300);
});

test("at most 500 problems are reported, and the number of the rest", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "udptunnel-config-")), "f.toml");
  writeFileSync(path, Array.from({ length: 700 }, (_, number) => `stray${number} = 1\n`).join(""));
  const { problems } = await readConfigFile(path, []);
  rmSync(dirname(path), { recursive: true });
  expect(problems.length).toBe(501);
  expect(problems.at(-1)).toBe(`${path}: has 201 more problems`);
});

function manyTunnels(count: number): string {
  const tables = Array.from(
    { length: count },
    (_, i) => `[tunnel.t${i}]\nserver = ${i + 1}\ntarget = "h/${i + 1}"\n`,
  );
  return `${tables.join("")}unknown = 1\n`;
}

test("__proto__ is an ordinary key", () => {
  expect(problemsOf(`${table(...good)}__proto__ = 1\n`)).toEqual([
    "f.toml:4: tunnel.a.__proto__: is not an option; leave it out",
  ]);
  expect(problemsOf(`[__proto__]\nx = 1\n${table(...good)}`)).toEqual([
    "f.toml:1: __proto__: is unknown; only tables such as [tunnel.media] are allowed here",
  ]);
});

test("no table of known names makes the reader throw", () => {
  const value = fc.oneof(
    fc.boolean(),
    fc.integer(),
    fc.constantFrom("h/5000", "", "::1"),
    fc.array(fc.integer()),
  );
  const name = fc.constantFrom(...OPTIONS.map((definition) => definition.name), "__proto__", "x");
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 6 }), (options) => {
      const lines = Object.entries(options).map(([key, given]) => `${key} = ${JSON.stringify(given)}`);
      const { plans, problems } = readConfig(table(...lines));
      expect(plans.length > 0).toBe(problems.length === 0);
      for (const { line } of problems) expect(line).toBeWithin(1, lines.length + 2);
    }),
  );
});
