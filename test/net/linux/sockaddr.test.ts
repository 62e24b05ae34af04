import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { encodeSockaddr } from "../../../src/net/linux/sockaddr.ts";
import { libc, noLibc } from "./open-libc.ts";

const hex = (bytes: Uint8Array | string) => (typeof bytes === "string" ? bytes : bytes.toHex());

describe.skipIf(noLibc)("sockaddr", () => {
  test("an IPv4 endpoint has its family in host order, and its port and address in network order", () => {
    const bytes = encodeSockaddr(libc, { address: "192.0.2.1", port: 5000 });
    expect(hex(bytes)).toBe("02001388c00002010000000000000000");
  });

  test("an IPv6 endpoint with a zone ends with the index of the interface", () => {
    const bytes = encodeSockaddr(libc, { address: "fe80::1%lo", port: 5000 });
    expect(hex(bytes)).toBe("0a00138800000000fe800000000000000000000000000001" + "01000000");
    expect(hex(encodeSockaddr(libc, { address: "fe80::1%1", port: 5000 }))).toBe(hex(bytes));
  });

  test("an IPv4 endpoint on an IPv6 socket is v4-mapped", () => {
    const bytes = encodeSockaddr(libc, { address: "192.0.2.1", port: 5000 }, 6);
    expect(hex(bytes)).toBe("0a0013880000000000000000000000000000ffffc000020100000000");
  });

  test("a v4-mapped endpoint on an IPv4 socket is plain", () => {
    expect(encodeSockaddr(libc, { address: "::ffff:192.0.2.1", port: 1 }, 4)).toHaveLength(16);
  });

  test.each([
    ["localhost", undefined, "EINVAL"],
    ["1.2.3", undefined, "EINVAL"],
    ["1.2.3.4%lo", undefined, "EINVAL"],
    [":::", undefined, "EINVAL"],
    ["fe80::1%nowhere", undefined, "ENODEV"],
    ["fe80::1%", undefined, "ENODEV"],
    ["fe80::1%lo%lo", undefined, "ENODEV"],
    ["::1", 4, "EAFNOSUPPORT"],
  ] as const)("%s on an IPv%s socket is %s", (address, family, error) => {
    expect(encodeSockaddr(libc, { address, port: 1 }, family)).toBe(error);
  });

  test("every address is encoded byte by byte, and every port in network order", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65535 }), (address, port) => {
        const encoded = encodeSockaddr(libc, { address, port });
        if (typeof encoded === "string") throw new Error(encoded);
        const { bytes, at } = encoded.length === 16 ? { bytes: 4, at: 4 } : { bytes: 16, at: 8 };
        expect([...encoded.subarray(at, at + bytes)]).toEqual(ipaddr.parse(address).toByteArray());
        expect(new DataView(encoded.buffer).getUint16(2)).toBe(port);
      }),
    );
  });
});
