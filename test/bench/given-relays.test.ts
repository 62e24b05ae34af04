/** Relays from the command line: how their text is read, and its errors. */

import { describe, expect, test } from "bun:test";
import { readRelays } from "../../bench/e2e/given-relays.ts";
import type { Place, Relay } from "../../bench/e2e/relays.ts";

const PLACE: Place = {
  ...{ serverHost: "192.0.2.1", clientApp: "192.0.2.2", serverApp: "192.0.2.3" },
  ...{ tcpPort: 1, clientPort: 2, serverPort: 3 },
};
const BUN = process.execPath;

function read(text: string): [name: string, server: string[], client: string[]] {
  const [relay] = readRelays([text], []) as [Relay];
  return [relay.name, relay.server(PLACE), relay.client(PLACE)];
}

function errorOf(relays: string[], perSource: string[] = []): string {
  try {
    readRelays(relays, perSource);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("no error");
}

describe("the two commands", () => {
  const expected: ReturnType<typeof read> = [
    "base",
    [BUN, "/tree/cli.ts", "-s", "1", "--cert", "/tree/cert.pem", "192.0.2.3/3"],
    [BUN, "/tree/cli.ts", "-c", "192.0.2.1/1", "192.0.2.2/2"],
  ];
  const server = `${BUN} /tree/cli.ts -s {tcp} --cert /tree/cert.pem {serverApp}/{server}`;
  const client = `${BUN} /tree/cli.ts -c {serverHost}/{tcp} {clientApp}/{client}`;

  test("divide where a program follows a slash, after a shell has removed the quotes", () => {
    expect(read(`base=${server}/${client}`)).toEqual(expected);
  });

  test("divide at their quotes, when these are still there", () => {
    expect(read(`base='${server}'/'${client}'`)).toEqual(expected);
    expect(read(`base="${server}"/'${client}'`)).toEqual(expected);
  });

  test("keep quoted words together", () => {
    expect(read(`base=sh 'two words' {tcp}/sh "one' word" {tcp}{client}`)).toEqual([
      ...["base", ["sh", "two words", "1"]],
      ["sh", "one' word", "12"],
    ] as ReturnType<typeof read>);
  });

  test("start a program by its name on the PATH", () => {
    expect(read("base=sh -s {tcp} /a/b/sh -c /c/{tcp}")).toEqual([
      ...["base", ["sh", "-s", "1", "/a/b"]],
      ["sh", "-c", "/c/1"],
    ] as ReturnType<typeof read>);
  });
});

describe("one connection per source", () => {
  const commands = "=sh {tcp}/sh {tcp}";

  test("with arguments is a mode of the relay", () => {
    const [relay, other] = readRelays([`base${commands}`, `x${commands}`], ["base=-p --quiet"]);
    expect(relay).toMatchObject({ perSource: ["-p", "--quiet"], bothWays: true });
    expect(other).toMatchObject({ bothWays: true });
    expect(other?.perSource).toBeUndefined();
  });

  test("without arguments is all that the relay has", () => {
    expect(readRelays([`base${commands}`], ["base"])).toMatchObject([{ perSource: [], bothWays: false }]);
  });

  test("of an unknown relay is an error", () => {
    expect(errorOf([`base${commands}`], ["bsae=-p"])).toBe(
      "--per-source bsae: no --relay has this name; give the name of one",
    );
  });
});

describe("an error has the problem and the remedy", () => {
  for (const [problem, relays, message] of [
    [
      "no name",
      ["sh {tcp}/sh {tcp}"],
      /^--relay "sh {tcp}\/sh {tcp}" has no NAME= .*write --relay NAME='SERVER COMMAND'/,
    ],
    ["a comma in the name", ["a,b=sh {tcp}/sh {tcp}"], / has no NAME= of letters, /],
    ["the name of this tree", ["ours=sh {tcp}/sh {tcp}"], /^--relay ours: .* choose another one$/],
    ["one name twice", ["x=sh {tcp}/sh {tcp}", "x=sh {tcp}/sh {tcp}"], /^--relay x is given twice; /],
    ["one command only", ["x=sh {tcp}"], /^--relay x: both commands need {tcp}, .* a "\/" between them; /],
    ["no TCP port", ["x=sh {server}/sh {tcp}"], /^--relay x: both commands need {tcp}/],
    [
      "no program for the client",
      ["x=sh {tcp}/no-such-program {tcp}"],
      /^--relay x: no "\/" is before a program/,
    ],
    [
      "no program for the server",
      ["x=no-such-program {tcp}/sh {tcp}"],
      /^--relay x: the server's program no-such-program is not on the PATH; install it /,
    ],
    [
      "an unknown placeholder",
      ["x=sh {tcp}/sh {tcp} {sever}"],
      /^--relay x: the client command has {sever}; allowed are {tcp} {server} {client} {serverHost} {serverApp} {clientApp}$/,
    ],
  ] as const) {
    test(problem, () => expect(errorOf([...relays])).toMatch(message));
  }
});
