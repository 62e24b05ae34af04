import { describe, expect, test } from "bun:test";
import { withZone } from "../../../src/tunnel/target/target-interface.ts";
import { Scene, UDP_PORT } from "../../support/memory-tunnels.ts";

function networkWith(...linkLocalInterfaces: string[]) {
  return {
    findInterface: (nameOrAddress: string) =>
      nameOrAddress === "br-lan" || nameOrAddress === "192.0.2.1"
        ? { name: "br-lan", id: "1", address4: "192.0.2.1" }
        : undefined,
    linkLocalInterfaces: () => linkLocalInterfaces,
  };
}

describe("the zone of a link-local target", () => {
  test("is the given interface, by name or by address", () => {
    const network = networkWith("eth0", "br-lan");
    expect(withZone(network, "fe80::1", "br-lan")).toBe("fe80::1%br-lan");
    expect(withZone(network, "fe80::1", "192.0.2.1")).toBe("fe80::1%br-lan");
    expect(() => withZone(network, "fe80::1", "nowhere")).toThrow("there is no network interface nowhere");
  });

  test("is the only interface with link-local addresses", () => {
    expect(withZone(networkWith("eth0"), "fe80::1", undefined)).toBe("fe80::1%eth0");
    expect(withZone(networkWith("eth0", "br-lan"), "fe80::1", undefined)).toBe("fe80::1");
    expect(withZone(networkWith(), "fe80::1", undefined)).toBe("fe80::1");
  });

  test("is not changed when given, and not added to any other address", () => {
    const network = networkWith("eth0");
    for (const address of ["fe80::1%br-lan", "2001:db8::1", "ff02::1", "192.0.2.1", "169.254.0.1"])
      expect(withZone(network, address, undefined)).toBe(address);
    expect(withZone(network, "224.2.0.1", "br-lan")).toBe("224.2.0.1");
  });
});

describe.each([{ perSource: false }, { perSource: true }])(
  "a link-local target without a zone (%p)",
  (mode) => {
    const start = async (host: string, ...interfaces: string[]) => {
      const scene = new Scene();
      scene.wire.linkLocalInterfaces = interfaces;
      scene.wire.names.set("app.example", ["fe80::2", "fe80::3"]);
      scene.wire.names.set("dual.example", ["fe80::2", "192.0.2.1"]);
      await scene.server({ target: `${host}/${UDP_PORT}`, ...mode });
      await scene.end();
    };

    test("is refused when the host has several interfaces with link-local addresses", async () => {
      const problem =
        "target: fe80::2 is link-local, and this host has several interfaces (eth0, wlan0); " +
        "name one of them, such as fe80::2%eth0";
      for (const host of ["fe80::2", "app.example"])
        await expect(start(host, "eth0", "wlan0")).rejects.toMatchObject({
          code: "ERR_OPTIONS",
          message: problem,
        });
    });

    test("is accepted with one such interface, or when the name has another address", async () => {
      await start("fe80::2", "eth0");
      await start("dual.example", "eth0", "wlan0");
      await start("fe80::2%wlan0", "eth0", "wlan0");
    });
  },
);
