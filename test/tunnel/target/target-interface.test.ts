import { expect, test } from "bun:test";
import { withZone } from "../../../src/tunnel/target/target-interface.ts";

const network = {
  findInterface: (name: string) =>
    name === "br-lan" || name === "192.0.2.1"
      ? { name: "br-lan", id: "1", address4: "192.0.2.1" }
      : undefined,
};
const zoned = (address: string, wanted?: string) => withZone(network, address, wanted);

test("a link-local target gets the interface as its zone, by name or by address", () => {
  expect(zoned("fe80::1", "br-lan")).toBe("fe80::1%br-lan");
  expect(zoned("fe80::1", "192.0.2.1")).toBe("fe80::1%br-lan");
  expect(zoned("fe80::1%eth0")).toBe("fe80::1%eth0");
  expect(zoned("224.2.0.1", "br-lan")).toBe("224.2.0.1");
});

test("an interface that does not exist is an error", () => {
  expect(() => zoned("fe80::1", "nowhere")).toThrow("there is no network interface nowhere");
});
