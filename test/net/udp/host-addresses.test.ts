import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import {
  broadcastNetworks,
  hostInterfaces,
  LOCAL_ADDRESSES_MS,
  LocalAddressCache,
  linkLocalInterfaces,
} from "../../../src/net/udp/host-addresses.ts";
import { VirtualClock } from "../../support/memory/virtual-clock.ts";

const interfaceWith = (...cidrs: string[]) =>
  cidrs.map((cidr) => ({
    cidr,
    address: cidr.split("/")[0],
    family: cidr.includes(":") ? "IPv6" : "IPv4",
  })) as NetworkInterfaceInfo[];

test.each([
  ["10.0.0.255", ["10.0.0.7/24"]],
  ["10.0.255.255", ["10.0.3.1/16"]],
  ["192.168.9.3", ["192.168.9.1/30"]],
  ["127.255.255.255", ["127.0.0.1/8"]],
  ["255.255.255.255", ["127.0.0.1/8", "10.0.0.7/24", "10.0.3.1/16", "192.168.9.1/30"]],
  // The address of a host, of networks without a broadcast address, of other networks, and IPv6.
  ["10.0.0.7", []],
  ["172.16.0.1", []],
  ["172.16.0.3", []],
  ["10.1.0.255", []],
  ["ff02::1", []],
  ["fd00::ffff", []],
])("a broadcast to %s reaches %p", (address, networks) => {
  const interfaces = {
    lo: interfaceWith("127.0.0.1/8", "::1/128"),
    lan: interfaceWith("10.0.0.7/24", "fd00::1/64", "10.0.3.1/16"),
    small: interfaceWith("192.168.9.1/30", "172.16.0.2/31", "172.16.0.1/32"),
  };
  expect(broadcastNetworks(address, interfaces)).toEqual(networks);
});

test("no interfaces are reported when the process may not list them", () => {
  const refused = Object.assign(new Error("getifaddrs returned an error"), { code: "ERR_SYSTEM_ERROR" });
  expect(
    hostInterfaces(() => {
      throw refused;
    }),
  ).toEqual({});
});

test("any other error while listing interfaces is thrown", () => {
  expect(() =>
    hostInterfaces(() => {
      throw new TypeError("a defect");
    }),
  ).toThrow("a defect");
});

test("the interfaces with link-local IPv6 addresses are listed, without loopback", () => {
  const internal = interfaceWith("::1/128", "fe80::9/64").map((each) => ({ ...each, internal: true }));
  const interfaces = {
    lo: internal as NetworkInterfaceInfo[],
    lan: interfaceWith("10.0.0.7/24", "fe80::1/64", "fe80::2/64"),
    "br-lan": interfaceWith("fe80::3/64"),
    small: interfaceWith("169.254.0.1/16", "fd00::1/64"),
  };
  expect(linkLocalInterfaces(interfaces)).toEqual(["lan", "br-lan"]);
});

test("the cache knows each spelling that a socket uses, and lists again after 5 s", async () => {
  const clock = new VirtualClock();
  let addresses = ["192.0.2.1", "fe80::1"];
  const cache = new LocalAddressCache(() => addresses, clock);
  const asked = ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.2", "::ffff:192.0.2.2", "fe80::2"];
  expect(asked.filter((address) => cache.has(address))).toEqual(asked.slice(0, 3));
  addresses = ["192.0.2.2"];
  expect(cache.has("192.0.2.2")).toBe(false);
  await clock.advance(LOCAL_ADDRESSES_MS);
  expect(cache.has("192.0.2.2")).toBe(true);
});
