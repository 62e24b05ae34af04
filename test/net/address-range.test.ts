import { expect, test } from "bun:test";
import { isLinkLocal, isMulticast } from "../../src/net/address-range.ts";
import { PendingLimiter } from "../../src/net/pending-limiter.ts";
import * as options from "../../src/options/address.ts";

const GROUPS = ["224.0.0.0", "239.255.255.255", "ff02::1", "FF0e::1%br-lan", "::ffff:224.1.1.1", "ff00::"];
const HOSTS = [
  ...["ff::1", "fff::1", "f::1", "FF::1", "fe80::1%br-lan", "2001:db8::ff", "::", "::1", "::ffff:1.2.3.4"],
  ...["223.255.255.255", "240.0.0.0", "127.0.0.1", "255.255.255.255"],
];

test("a group is told from an address that only looks like one", () => {
  for (const isGroup of [isMulticast, options.isMulticast]) {
    expect(GROUPS.filter((address) => !isGroup(address))).toEqual([]);
    expect(HOSTS.filter((address) => isGroup(address))).toEqual([]);
  }
  expect(options.isMulticast("ff.example")).toBe(false);
});

test("a zone may have any name that an interface has", () => {
  new PendingLimiter({ max: 1, perOrigin: 1 }, () => {}).add("a client", "fe80::1%br-lan");
  for (const isLocal of [isLinkLocal, options.isLinkLocal]) {
    for (const address of ["fe80::1%br-lan", "fe80::1%a-b.c-1", "febf::1"])
      expect(isLocal(address)).toBe(true);
    for (const address of ["ff02::1%br-lan", "::1", "fe::1"]) expect(isLocal(address)).toBe(false);
  }
});
