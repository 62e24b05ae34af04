/** Relays from the command line: `--relay NAME='SERVER COMMAND'/'CLIENT COMMAND'`. */

import type { Place, Relay } from "./relays.ts";

/** The names between braces in a command, and their values. */
const PLACEHOLDERS = {
  tcp: ({ tcpPort }: Place) => tcpPort,
  server: ({ serverPort }: Place) => serverPort,
  client: ({ clientPort }: Place) => clientPort,
  serverHost: ({ serverHost }: Place) => serverHost,
  serverApp: ({ serverApp }: Place) => serverApp,
  clientApp: ({ clientApp }: Place) => clientApp,
} as const;
const ALLOWED = Object.keys(PLACEHOLDERS)
  .map((name) => `{${name}}`)
  .join(" ");
const FORM = "--relay NAME='SERVER COMMAND'/'CLIENT COMMAND'";

/**
 * Reads the values of `--relay` and `--per-source`.
 *
 * @throws Error with one line: the problem, the allowed values and the remedy.
 */
export function readRelays(relays: readonly string[], perSource: readonly string[]): Relay[] {
  const read = relays.map(readRelay);
  for (const [index, { name }] of read.entries()) {
    if (read.findIndex((other) => other.name === name) < index) {
      throw new Error(`--relay ${name} is given twice; give each relay another name`);
    }
  }
  const modes = new Map(perSource.map(readPerSource));
  for (const name of modes.keys()) {
    if (!read.some((relay) => relay.name === name)) {
      throw new Error(`--per-source ${name}: no --relay has this name; give the name of one`);
    }
  }
  return read.map((relay) => {
    const mode = modes.get(relay.name);
    // Without an argument for the mode, the relay is always in it, and its server has no peer to send to
    // first.
    return mode === undefined ? relay : { ...relay, perSource: mode, bothWays: mode.length > 0 };
  });
}

function readRelay(text: string): Relay {
  const [, name, commands] = /^([\w.-]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || commands === undefined) {
    throw new Error(`--relay "${text}" has no NAME= of letters, digits, "-", "_" and "."; write ${FORM}`);
  }
  if (name === "ours")
    throw new Error("--relay ours: the udptunnel of this tree has this name; choose another one");
  const [server, client] = splitCommands(name, commands);
  for (const [side, command] of [
    ["server", server],
    ["client", client],
  ] as const) {
    const unknown = [...command.matchAll(/\{(\w+)\}/g)].find(([, key = ""]) => !(key in PLACEHOLDERS));
    if (unknown !== undefined) {
      throw new Error(`--relay ${name}: the ${side} command has ${unknown[0]}; allowed are ${ALLOWED}`);
    }
  }
  return {
    name,
    server: (at) => fillIn(server, at),
    client: (at) => fillIn(client, at),
    bothWays: true,
  };
}

/**
 * The two commands. A shell removes the quotes around them, and a command may contain slashes. So the client
 * command starts after the first slash that has {tcp} before and after it and a program right after it.
 */
function splitCommands(name: string, commands: string): [string, string] {
  const [, , quotedServer, , quotedClient] = /^(["'])(.*)\1\/(["'])(.*)\3$/s.exec(commands) ?? [];
  const candidates = [...commands.matchAll(/\//g)].map(
    ({ index }) => [commands.slice(0, index), commands.slice(index + 1)] as const,
  );
  if (quotedServer !== undefined && quotedClient !== undefined)
    candidates.unshift([quotedServer, quotedClient]);
  const complete = candidates.filter((pair) => pair.every((command) => command.includes("{tcp}")));
  if (complete.length === 0) {
    throw new Error(
      `--relay ${name}: both commands need {tcp}, the TCP port, and a "/" between them; write ${FORM}`,
    );
  }
  const found = complete.find(([, client]) => programOf(client) !== null);
  if (found === undefined) {
    throw new Error(
      `--relay ${name}: no "/" is before a program that is on the PATH; install the client's program or give its path`,
    );
  }
  if (programOf(found[0]) === null) {
    const [word] = wordsOf(found[0]);
    throw new Error(
      `--relay ${name}: the server's program ${word} is not on the PATH; install it or give its path`,
    );
  }
  return [...found];
}

function programOf(command: string): string | null {
  const [word] = wordsOf(command);
  return word === undefined ? null : Bun.which(word);
}

/** `NAME` or `NAME=ARGUMENTS`. */
function readPerSource(text: string): [string, string[]] {
  const [name = "", ...rest] = text.split("=");
  return [name, wordsOf(rest.join("="))];
}

/** Splits a command line at spaces, except in quotes. */
function wordsOf(command: string): string[] {
  const words = command.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  return words.map((word) => word.replace(/^(["'])(.*)\1$/s, "$2"));
}

function fillIn(command: string, at: Place): string[] {
  return wordsOf(command).map((word) =>
    word.replace(/\{(\w+)\}/g, (_, key: keyof typeof PLACEHOLDERS) => `${PLACEHOLDERS[key](at)}`),
  );
}
