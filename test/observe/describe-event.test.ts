import { expect, test } from "bun:test";
import { describeEvent } from "../../src/observe/describe-event.ts";
import type { TunnelEvent } from "../../src/observe/events.ts";
import { COMMAND_LINE, CONFIG_FILE, type InputStyle, LIBRARY } from "../../src/options/input-style.ts";
import { OPTIONS } from "../../src/options/table.ts";

const at = { address: "192.0.2.1", port: 5000 };
const socket = { segmentOffload: true, socketBufferBytes: 8192, receiveBufferBytes: 4096 };

/** The events whose text names options, with the keys of those options. */
const EVENTS: readonly (readonly [TunnelEvent, keys: readonly string[]])[] = [
  [{ type: "socket settings", ...socket }, ["socketBufferBytes"]],
  [{ type: "fd limit", limit: 128, sessions: 32, wanted: 8192 }, ["maxSessions"]],
  [
    {
      type: "dial failed",
      to: "server.example/5000",
      code: "TLS_NO_CLIENT_CERTIFICATE",
      message: "the server requires a client certificate",
      retryInMs: 100,
    },
    ["cert", "key"],
  ],
  [{ type: "disconnected", remote: at, reason: "connection lost", code: "TLS_REJECTED" }, ["cert", "key"]],
  [
    {
      type: "session disconnected",
      source: at,
      reason: "connection lost",
      code: "TLS_NO_CLIENT_CERTIFICATE",
    },
    ["cert", "key"],
  ],
  [
    { type: "dial failed", to: "h/1", code: "TLS_REJECTED", message: "rejected", retryInMs: 1000 },
    ["cert", "key"],
  ],
  [
    { type: "mode mismatch", server: "server.example/5000" },
    ["perSource", "maxSessions", "maxSessionsPerAddress", "allow"],
  ],
  [{ type: "address limit", address: at.address, sessions: 128 }, ["maxSessionsPerAddress"]],
  [{ type: "unauthenticated listener", tcp: [at] }, ["clientCa", "secretFile", "allow"]],
  [{ type: "session rejected", source: at, sessions: 32 }, ["maxSessions"]],
  [{ type: "loop detected", source: at }, ["bind"]],
  [{ type: "wrong source", source: at, expected: ["192.0.2.7"] }, ["from", "anySource"]],
  [{ type: "unexpected answer", reason: "wrong port", target: at, source: at }, ["anyPort"]],
];

test.each(EVENTS)("the text of $type names options as the reader spells them", (event, keys) => {
  const known = OPTIONS.map(({ key }) => key as string);
  for (const style of [LIBRARY, COMMAND_LINE, CONFIG_FILE]) {
    const text = describeEvent(event, nameOfKnown(style));
    for (const key of keys) expect(text).toContain(style.nameOf(key));
    expect(text.includes("--")).toBe(style === COMMAND_LINE);
  }

  function nameOfKnown(style: InputStyle) {
    return (key: string) => {
      expect(known).toContain(key);
      return style.nameOf(key);
    };
  }
});
