import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { AddressFilter } from "../../../src/tunnel/access/address-filter.ts";

describe("an address filter", () => {
  test.each([
    { allow: ["192.0.2.1"], address: "192.0.2.1", allowed: true },
    { allow: ["192.0.2.1"], address: "192.0.2.2", allowed: false },
    { allow: ["192.0.2.1"], address: "::ffff:192.0.2.1", allowed: true },
    { allow: ["::ffff:192.0.2.1"], address: "192.0.2.1", allowed: true },
    { allow: ["192.0.2.0/24"], address: "192.0.2.255", allowed: true },
    { allow: ["192.0.2.0/24"], address: "::ffff:192.0.2.255", allowed: true },
    { allow: ["192.0.2.0/24"], address: "192.0.3.0", allowed: false },
    { allow: ["::ffff:192.0.2.0/120"], address: "192.0.2.9", allowed: true },
    { allow: ["::ffff:192.0.2.0/120"], address: "192.0.3.9", allowed: false },
    { allow: ["0.0.0.0/0"], address: "203.0.113.9", allowed: true },
    { allow: ["2001:DB8:0::1"], address: "2001:db8::1", allowed: true },
    { allow: ["2001:db8::/32"], address: "2001:db8:ffff::9", allowed: true },
    { allow: ["2001:db8::/32"], address: "2001:db9::", allowed: false },
    { allow: ["fe80::1"], address: "fe80::1%eth0", allowed: true },
    { allow: [], address: "192.0.2.1", allowed: false },
  ])("of $allow is $allowed for $address, in both of its lists", ({ allow, address, allowed }) => {
    expect(new AddressFilter(allow).allows(address)).toBe(allowed);
    if (allow.some((block) => block.includes("/"))) return;
    const filter = new AddressFilter(["198.51.100.0/24"]);
    filter.allowOnly(allow);
    expect(filter.allows(address)).toBe(allowed);
    expect(filter.allows("198.51.100.7")).toBe(true);
  });

  test("does not allow the last allowed address any more when it is replaced", () => {
    const filter = new AddressFilter([]);
    filter.allowOnly(["192.0.2.1"]);
    expect(filter.allows("192.0.2.1")).toBe(true);
    filter.allowOnly(["192.0.2.2"]);
    expect(filter.allows("192.0.2.1")).toBe(false);
    expect(filter.allows("192.0.2.2")).toBe(true);
  });
});

test("an address filter gives the same answers however many addresses it has seen", () => {
  const filter = new AddressFilter(["10.0.0.0/16"]);
  for (let round = 0; round < 2; round++) {
    for (let count = 0; count < 1000; count++) {
      const host = `${count >> 8}.${count & 255}`;
      expect(filter.allows(`10.0.${host}`)).toBe(true);
      expect(filter.allows(`10.1.${host}`)).toBe(false);
    }
  }
});

test("a flood from any number of addresses leaves nothing on the heap", () => {
  const ADDRESSES = 200_000;
  const filter = new AddressFilter(["198.51.100.0/24"]);
  const flood = (prefix: string) => {
    for (let count = 0; count < ADDRESSES; count++)
      filter.allows(`${prefix}${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`);
    Bun.gc(true);
    return heapStats().heapSize;
  };
  const before = flood("10.");
  expect((flood("11.") - before) / ADDRESSES).toBeLessThan(1);
});
