import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import { broadcastNetworks } from "../../../src/net/udp/broadcast.ts";

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
  // Neither the address of a host, nor the end of a network that has no broadcast address, nor another network's.
  ["10.0.0.7", []],
  ["172.16.0.1", []],
  ["172.16.0.3", []],
  ["10.1.0.255", []],
  ["ff02::1", []],
  ["fd00::ffff", []],
])("%s reaches %p", (address, networks) => {
  const interfaces = {
    lo: interfaceWith("127.0.0.1/8", "::1/128"),
    lan: interfaceWith("10.0.0.7/24", "fd00::1/64", "10.0.3.1/16"),
    small: interfaceWith("192.168.9.1/30", "172.16.0.2/31", "172.16.0.1/32"),
  };
  expect(broadcastNetworks(address, interfaces)).toEqual(networks);
});
