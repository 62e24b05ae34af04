/** The program where the kernel has no IPv6: socket(AF_INET6) fails, as with ipv6.disable=1. */

import { expect } from "bun:test";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";

const test = testNeeding("python3");
const COMMAND = ["python3", new URL("../support/without-ipv6.py", import.meta.url).pathname, ...UDPTUNNEL];
const start = (...args: string[]) => new Program(["-v", ...args], COMMAND);

test("a server without an address listens on IPv4 alone, and relays", async () => {
  const tcp = freeTcpPort();
  using there = await UdpApp.open(await freeUdpPort());
  using here = await UdpApp.open(await freeUdpPort());
  const bind = ["--bind", TUNNEL_HOST];
  await using server = start("-s", `${tcp}`, ...bind, `${APP_HOST}/${there.port}`);
  await server.says(`listening on TCP 0.0.0.0:${tcp}`);
  await using client = start("-c", `${TUNNEL_HOST}/${tcp}`, ...bind, `${APP_HOST}/${here.port}`);
  await client.says("connected: TCP");
  here.send("hello");
  await there.hears("hello");
});

test("a port that is taken is still the answer", async () => {
  using taken = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
  await using server = start("-s", `${taken.port}`, `${APP_HOST}/9`);
  expect(await server.exited()).toBe(1);
  expect(server.lines.at(-1)).toContain(`cannot listen on TCP 0.0.0.0:${taken.port}: EADDRINUSE; `);
});

test("an IPv6 address that was asked for is refused with the reason", async () => {
  await using server = start("-s", `::1/${freeTcpPort()}`, `${APP_HOST}/9`);
  expect(await server.exited()).toBe(1);
  expect(server.lines.at(-1)).toEndWith("EAFNOSUPPORT");
});
