import { expect, test } from "bun:test";
import { handshakesMaxOf } from "../../../src/net/bun/tls-accept.ts";

test("pending handshakes use at most a quarter of the descriptors: Bun spins when accept finds none", () => {
  expect([64, 1024, 4096, Infinity].map(handshakesMaxOf)).toEqual([16, 256, 256, 256]);
});
