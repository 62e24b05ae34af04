import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type HostPort,
  type HostPortForm,
  parseHost,
  parseHostPort,
  parseNetwork,
} from "../../src/options/address.ts";

const TARGET: HostPortForm = { ttl: true };
const LISTEN: HostPortForm = { hostOptional: true };
const CONNECT: HostPortForm = { portOptional: true };

type Good = [text: string, form: HostPortForm, value: HostPort];

const GOOD: Good[] = [
  ["host/5000", TARGET, { host: "host", port: 5000 }],
  ["host:5000", TARGET, { host: "host", port: 5000 }],
  ["host 5000", TARGET, { host: "host", port: 5000 }],
  ["host:5000:16", TARGET, { host: "host", port: 5000, ttl: 16 }],
  ["host:5000/16", TARGET, { host: "host", port: 5000, ttl: 16 }],
  ["host/5000:16", TARGET, { host: "host", port: 5000, ttl: 16 }],
  ["host 5000 16", TARGET, { host: "host", port: 5000, ttl: 16 }],
  ["a-b.example.org./5000", TARGET, { host: "a-b.example.org.", port: 5000 }],
  ["_srv.example/5000", TARGET, { host: "_srv.example", port: 5000 }],
  ["192.0.2.1/1", TARGET, { host: "192.0.2.1", port: 1 }],
  ["192.0.2.1/65535", TARGET, { host: "192.0.2.1", port: 65_535 }],
  ["192.0.2.1/05000", TARGET, { host: "192.0.2.1", port: 5000 }],
  ["224.2.0.1/5000/0", TARGET, { host: "224.2.0.1", port: 5000, ttl: 0 }],
  ["224.2.0.1/5000/255", TARGET, { host: "224.2.0.1", port: 5000, ttl: 255 }],
  ["[2001:db8::1]:5000", TARGET, { host: "2001:db8::1", port: 5000 }],
  ["[2001:db8::1]/5000", TARGET, { host: "2001:db8::1", port: 5000 }],
  ["[2001:db8::1]:5000/4", TARGET, { host: "2001:db8::1", port: 5000, ttl: 4 }],
  ["2001:db8::1/5000", TARGET, { host: "2001:db8::1", port: 5000 }],
  ["2001:db8::1 5000", TARGET, { host: "2001:db8::1", port: 5000 }],
  ["ff02::1%eth0/5000/3", TARGET, { host: "ff02::1%eth0", port: 5000, ttl: 3 }],
  ["[fe80::1%wg_0]:5000", TARGET, { host: "fe80::1%wg_0", port: 5000 }],
  ["::ffff:192.0.2.1/5000", TARGET, { host: "::ffff:192.0.2.1", port: 5000 }],
  ["::/5000", TARGET, { host: "::", port: 5000 }],
  ["5000", LISTEN, { port: 5000 }],
  [":5000", LISTEN, { port: 5000 }],
  ["/5000", LISTEN, { port: 5000 }],
  ["localhost/5000", LISTEN, { host: "localhost", port: 5000 }],
  ["::1/5000", LISTEN, { host: "::1", port: 5000 }],
  ["[::]:5000", LISTEN, { host: "::", port: 5000 }],
  ["0", { ...LISTEN, portZero: true }, { port: 0 }],
  ["host", CONNECT, { host: "host" }],
  ["192.0.2.1", CONNECT, { host: "192.0.2.1" }],
  ["2001:db8::1", CONNECT, { host: "2001:db8::1" }],
  ["2001:db8::1:5000", CONNECT, { host: "2001:db8::1:5000" }],
  ["[2001:db8::1]", CONNECT, { host: "2001:db8::1" }],
  ["fe80::1%eth0:5000", CONNECT, { host: "fe80::1%eth0:5000" }],
  ["host/5000", CONNECT, { host: "host", port: 5000 }],
];

type Bad = [text: string, form: HostPortForm, fragment: string];

const BAD: Bad[] = [
  ["host", TARGET, '"host" has no port'],
  ["2001:db8::1:5000", TARGET, "has no port; give one after a slash: 2001:db8::1:5000/5000"],
  ["host/", TARGET, '"" is not a port'],
  ["host//5000", TARGET, '"" is not a port'],
  ["host/0", TARGET, '"0" is not a port; give a number from 1 to 65535'],
  ["host/65536", TARGET, '"65536" is not a port'],
  ["host/-1", TARGET, '"-1" is not a port'],
  ["host/+1", TARGET, '"+1" is not a port'],
  ["host/1e3", TARGET, '"1e3" is not a port'],
  ["host/0x50", TARGET, '"0x50" is not a port'],
  ["host/http", TARGET, '"http" is not a port'],
  ["host/99999999999999999999", TARGET, "is not a port"],
  ["host/5000/", TARGET, '"" is not a time to live'],
  ["host/5000/256", TARGET, '"256" is not a time to live; give a number from 0 to 255'],
  ["host/5000/-1", TARGET, '"-1" is not a time to live'],
  ["host/5000/1/2", TARGET, '"2" is one part too many; give address/port or address/port/ttl'],
  ["/5000", TARGET, '"" is not an address'],
  [" host/5000", TARGET, '"" is not an address'],
  ["host\n/5000", TARGET, '"host\\n" is not an address'],
  ["999.0.0.1/5000", TARGET, '"999.0.0.1" is not an address'],
  ["1.2.3/5000", TARGET, '"1.2.3" is not an address'],
  ["010.0.0.1/5000", TARGET, "is not an address"],
  ["0x7f.1/5000", TARGET, '"0x7f.1"'],
  ["0x7f000001/5000", TARGET, '"0x7f000001" is not an address'],
  ["-host/5000", TARGET, '"-host" is not an address'],
  ["a..b/5000", TARGET, '"a..b" is not an address'],
  [`${"a".repeat(64)}/5000`, TARGET, "is not an address"],
  [`${"abcd.".repeat(51)}/5000`, TARGET, "is not an address"],
  ["192.0.2.1%eth0/5000", TARGET, "is not an address"],
  ["fe80::1%/5000", TARGET, '"fe80::1%" is not an address'],
  ["[fe80::1%]:5000", TARGET, '"[fe80::1%]" is not an address'],
  ["fe80::1%\u001b/5000", TARGET, '"fe80::1%\\u001b" is not an address'],
  ["[host]:5000", TARGET, '"[host]" is not an address'],
  ["[192.0.2.1]:5000", TARGET, '"[192.0.2.1]" is not an address'],
  ["[::1:5000", TARGET, '"[::1:5000" is not an address'],
  ["[::1]5000", TARGET, '"[::1]5000" is not an address'],
  ["2001:db8:::1/5000", TARGET, '"2001:db8:::1" is not an address'],
  ["2001:db8:::1", CONNECT, '"2001:db8:::1" is not an address'],
  ["1:2:3:4/5", TARGET, '"1:2:3:4" is not an address'],
  ["host/5000/1", CONNECT, '"1" is one part too many; give address/port'],
  ["host/", CONNECT, '"" is not a port'],
  ["5000", CONNECT, '"5000" is not an address'],
  ["host", LISTEN, '"host" has no port'],
  ["0", LISTEN, '"0" is not a port'],
  ["::1", LISTEN, '"::1" has no port'],
  ["a/5000/1", LISTEN, "one part too many"],
];

describe("a valid address is parsed", () => {
  test.each(GOOD)("%p", (text, form, value) => {
    expect(parseHostPort(text, form)).toEqual({ value });
  });
});

describe("an invalid address is rejected with a reason", () => {
  test.each(BAD)("%p", (text, form, fragment) => {
    const result = parseHostPort(text, form);
    expect(result).toHaveProperty("problem");
    expect("problem" in result ? result.problem : "").toContain(fragment);
  });
});

const name = fc
  .array(fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."));
const zone = fc.option(fc.constantFrom("%eth0", "%3", "%wg-1.5"), { nil: "" });
const literal6 = fc.tuple(fc.ipV6(), zone).map(([address, zone]) => address + zone);
const ttl = fc.option(fc.nat(255), { nil: undefined });
const port = fc.integer({ min: 1, max: 65_535 });

test("an address in any of the forms is parsed to its parts", () => {
  const separator = fc.constantFrom("/", ":", " ");
  const plain = fc.tuple(fc.oneof(name, fc.ipV4()), separator).map(([host, s]) => [host, host + s] as const);
  const bare = fc.tuple(literal6, fc.constantFrom("/", " ")).map(([host, s]) => [host, host + s] as const);
  const bracketed = fc.tuple(literal6, separator).map(([host, s]) => [host, `[${host}]${s}`] as const);
  fc.assert(
    fc.property(
      fc.oneof(plain, bare, bracketed),
      port,
      ttl,
      separator,
      ([host, start], port, ttl, separator) => {
        const text = `${start}${port}${ttl === undefined ? "" : `${separator}${ttl}`}`;
        expect(parseHostPort(text, TARGET)).toEqual({
          value: { host, port, ...(ttl === undefined ? {} : { ttl }) },
        });
      },
    ),
  );
});

test("no text makes the parser throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./[\]% -]*$/)), (text) => {
      for (const form of [TARGET, LISTEN, CONNECT]) {
        const result = parseHostPort(text, form);
        if ("problem" in result) expect(result.problem).not.toBe("");
        else expect(result.value.host ?? result.value.port).toBeDefined();
      }
    }),
  );
});

describe("a network", () => {
  test.each(["192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128"])(
    "%p is parsed",
    (text) => expect(parseNetwork(text)).toEqual({ value: text }),
  );

  test.each([
    ["192.0.2.0/33", '"33" is not a prefix; give a number from 0 to 32'],
    ["::/129", "from 0 to 128"],
    ["192.0.2.0/-1", '"-1"'],
    ["192.0.2.0/", '"" is not a prefix'],
    ["192.0.2.0/24/1", "is not a network"],
    ["host/24", "is not a network"],
    ["192.0.2/24", "is not a network"],
    ["fe80::1%eth0", 'give the address without "%eth0"'],
  ])("%p is rejected", (text, fragment) => {
    expect((parseNetwork(text) as { problem: string }).problem).toContain(fragment);
  });
});

test("a host alone may have brackets if it is IPv6", () => {
  expect(parseHost("[::1%lo]")).toEqual({ value: "::1%lo" });
  expect(parseHost("[localhost]")).toHaveProperty("problem");
});
