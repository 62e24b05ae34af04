/** The host's address changes while the tunnel runs (DHCP, Wi-Fi): datagrams then leave from the new one. */

import { expect } from "bun:test";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { namespacesForTests } from "../support/namespaces.ts";
import { testNeeding } from "../support/need.ts";

const test = testNeeding("root", "ip");
const LAN_HOST = [process.execPath, new URL("lan-host.ts", import.meta.url).pathname];
const TCP = "127.0.0.1/5000";

const net = namespacesForTests(() => {
  net.join(
    { host: "end", name: "lan", addresses: ["10.78.0.1/24"] },
    { host: "host", name: "lan", addresses: ["10.78.0.2/24"] },
  );
});

for (const mode of [[], ["-S"], ["-p"]]) {
  test(`datagrams to the target are sent from the new address (${mode.join(" ") || "plain"})`, async () => {
    const sessions = mode.includes("-p") ? ["-p"] : [];
    const server = net.start("end", [...UDPTUNNEL, "-v", ...mode, "-s", TCP, "10.78.0.2/4009"]);
    await server.said(/listening/);
    const client = net.start("end", [...UDPTUNNEL, "-v", ...sessions, "-c", TCP, "127.0.0.1/5009"]);
    await client.said(sessions.length > 0 ? /relaying/ : /: connected/);
    const target = net.start("host", [...LAN_HOST, "4009"]);
    await target.said(/ready/);
    /** Sends from the same source each time, so that there is one session. */
    const arrives = async (text: string) => {
      const source = net.start("end", [...LAN_HOST, "7777", "127.0.0.1", "5009", text, "127.0.0.1"]);
      const line = await target.said(new RegExp(`^${text}`));
      await source.stop();
      return line;
    };
    expect(await arrives("first")).toBe("first from 10.78.0.1");
    net.ip("end", "address", "delete", "10.78.0.1/24", "dev", "lan");
    net.ip("end", "address", "add", "10.78.0.3/24", "dev", "lan");
    expect(await arrives("second")).toBe("second from 10.78.0.3");
    net.ip("end", "address", "delete", "10.78.0.3/24", "dev", "lan");
    net.ip("end", "address", "add", "10.78.0.1/24", "dev", "lan");
  });
}
