import { describe, expect, test } from "bun:test";
import { describeEvent } from "../../src/observe/describe-event.ts";
import type { TunnelEvent } from "../../src/observe/events.ts";
import { Redactor } from "../../src/observe/redact.ts";

const redactor = new Redactor();
redactor.hideNames(["server.example"]);

const peer = { address: "2001:db8::7", port: 5000 };
const source = { address: "::ffff:192.0.2.9", port: 6000 };

/** One event for each property that holds an address or a name. */
const EVENTS: TunnelEvent[] = [
  { type: "listening", tcp: [peer], udp: [source] },
  { type: "connected", local: peer, remote: source },
  {
    type: "dial failed",
    to: "server.example/5000",
    code: "ENOTFOUND",
    message: "cannot resolve server.example: ENOTFOUND",
    retryInMs: 100,
  },
  {
    type: "dial failed",
    to: "192.0.2.9/5000",
    code: "ECONNREFUSED",
    message: "cannot connect to [2001:db8::7]:5000: ECONNREFUSED",
    retryInMs: 100,
  },
  { type: "wrong source", source, expected: ["server.example", "192.0.2.0/24"] },
  { type: "address limit", address: "192.0.2.9", sessions: 128 },
  { type: "peer flapping", address: "192.0.2.9" },
  { type: "name lookup failed", name: "server.example", code: "EAI_AGAIN", kept: ["2001:db8::7"] },
  { type: "mode mismatch", server: "server.example/5000" },
  { type: "session closed", source, reason: "idle", sessions: 3 },
];

test.each(EVENTS)("hides hosts in $type, in the record and in its text", (event) => {
  const hidden = redactor.data(event);
  for (const text of [JSON.stringify(hidden), describeEvent(hidden, (key) => key)]) {
    expect(text).not.toMatch(/192\.0\.2|2001:db8|server\.example/);
    expect(text).toContain("hidden");
  }
  expect(hidden.type).toBe(event.type);
  expect(JSON.stringify(event)).toMatch(/192\.0\.2|2001:db8|server\.example/);
});

describe("text", () => {
  test.each([
    ["connected to 192.0.2.1:5000", "connected to hidden:5000"],
    ["from [fe80::1%eth0]:5000, twice", "from [hidden]:5000, twice"],
    ["::1 and ::ffff:192.0.2.1", "hidden and hidden"],
    ["cannot resolve server.example: ENOTFOUND", "cannot resolve hidden: ENOTFOUND"],
    ["Server.Example:5000 and www.server.example/5000", "hidden:5000 and www.hidden/5000"],
    [
      "myserver.example, server.examples, server-example",
      "myserver.example, server.examples, server-example",
    ],
    ["up 1:02:03, 12 expired, version 1.2.3", "up 1:02:03, 12 expired, version 1.2.3"],
  ])("%p", (text, hidden) => {
    expect(redactor.text(text)).toBe(hidden);
  });
});

test("of two names the longer one is hidden whole, and later names are hidden, too", () => {
  const names = new Redactor();
  names.hideNames(["relay", "relay.example"]);
  expect(names.text("relay.example and relay")).toBe("hidden and hidden");
  names.hideNames(["b-side", ""]);
  expect(names.text("relay to b-side")).toBe("hidden to hidden");
});

test("a name that is also a word of the program stays a word in an event", () => {
  const names = new Redactor();
  names.hideNames(["connected", "idle"]);
  expect(names.data({ type: "connected", reason: "idle", message: "connected to idle" })).toEqual({
    type: "connected",
    reason: "idle",
    message: "hidden to hidden",
  });
});
