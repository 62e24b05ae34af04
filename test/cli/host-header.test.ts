import { expect, test } from "bun:test";
import { isAllowedHost } from "../../src/cli/host-header.ts";

test.each([
  "localhost",
  "LocalHost:9100",
  "127.0.0.1",
  "127.0.0.1:9100",
  "127.8.9.10:80",
  "[::1]",
  "[::1]:9100",
  "[::ffff:127.0.0.1]:9100",
  "metrics.internal:9100",
  undefined,
])("on loopback %p is answered", (host) => {
  expect(isAllowedHost(host, "127.0.0.1", "Metrics.internal")).toBe(true);
  expect(isAllowedHost(host, "::1", "Metrics.internal")).toBe(true);
});

test.each([
  "evil.example",
  "evil.example:9100",
  "127.evil.example",
  "127.0.0.1.evil.example:9100",
  "localhost.evil.example",
  "192.0.2.1:9100",
  "[2001:db8::1]:9100",
  "evil@127.0.0.1",
  "127.0.0.1:9100:1",
  "undefined",
  "",
])("on loopback %p is refused, elsewhere it is not", (host) => {
  for (const at of ["127.0.0.1", "127.0.0.5", "::1", "::ffff:127.0.0.1"])
    expect(isAllowedHost(host, at, undefined)).toBe(false);
  for (const at of ["192.0.2.1", "2001:db8::1"]) expect(isAllowedHost(host, at, undefined)).toBe(true);
});
