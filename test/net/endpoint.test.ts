import { expect, test } from "bun:test";
import { isLinkLocal6, isLoopback, isMulticast } from "../../src/net/endpoint.ts";

/** Literals, with the only kind that each one is; names have none. */
const KINDS: readonly [kind: string, ...hosts: string[]][] = [
  ["multicast", "224.0.0.0", "239.255.255.255", "::ffff:224.1.1.1", "::FFFF:e001:0101"],
  ["multicast", "ff00::", "ff02::1", "FF0e::1%br-lan", "ff02::1%eth0", "ff02::1%wlan0.7", "ffff::1"],
  ["loopback", "127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::1%lo"],
  ["link-local", "fe80::1", "fe80::1%eth0", "fe80::1%br-lan", "fe80::1%a-b.c-1", "febf::1", "FE80::1"],
  // Addresses that only look like a multicast group.
  [
    "none",
    "ff::1",
    "fff::1",
    "f::1",
    "FF::1",
    "fe::1",
    "fec0::1",
    "::ff02:1",
    "223.255.255.255",
    "240.0.0.0",
  ],
  // IPv4 link-local addresses need no zone.
  ["none", "169.254.1.1", "::ffff:169.254.1.1"],
  [
    "none",
    "126.0.0.1",
    "128.0.0.1",
    "::2",
    "::",
    "0.0.0.0",
    "255.255.255.255",
    "2001:db8::ff",
    "::ffff:1.2.3.4",
  ],
  ["none", "", "ff.example", "localhost", "fe80.example", "127.1", "3758096385", "0xe0.0.0.1", "ff02::g"],
];

test("each host is of one kind: multicast, loopback, link-local, or none of these", () => {
  for (const [kind, ...hosts] of KINDS) {
    for (const host of hosts) {
      const kinds = [
        isMulticast(host) && "multicast",
        isLoopback(host) && "loopback",
        isLinkLocal6(host) && "link-local",
      ].filter((found) => found !== false);
      expect({ host, kinds }).toEqual({ host, kinds: kind === "none" ? [] : [kind] });
    }
  }
});
