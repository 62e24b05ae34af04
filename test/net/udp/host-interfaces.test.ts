import { expect, test } from "bun:test";
import { hostInterfaces } from "../../../src/net/udp/host-interfaces.ts";

test("there are none where the process may not ask for them", () => {
  const refused = Object.assign(new Error("getifaddrs returned an error"), { code: "ERR_SYSTEM_ERROR" });
  expect(
    hostInterfaces(() => {
      throw refused;
    }),
  ).toEqual({});
});

test("a defect is none of these errors", () => {
  expect(() =>
    hostInterfaces(() => {
      throw new TypeError("a defect");
    }),
  ).toThrow("a defect");
});
