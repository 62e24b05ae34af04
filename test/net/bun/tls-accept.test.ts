import { expect, test } from "bun:test";
import { handshakesMaxOf } from "../../../src/net/bun/tls-accept.ts";

test("handshakes leave descriptors for what is up: Bun spins when there are none to accept with", () => {
  expect([64, 1024, 4096, Infinity].map(handshakesMaxOf)).toEqual([16, 256, 256, 256]);
});
