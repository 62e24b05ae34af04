/**
 * The program on systems that forbid some sockets: without IPv6 (ipv6.disable=1), or by a rule of the service
 * manager.
 */

import { expect } from "bun:test";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { APP_HOST, connectRaw, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";

const test = testNeeding("python3");
const WITHOUT = new URL("../support/without-families.py", import.meta.url).pathname;
const COMMAND = ["python3", WITHOUT, "AF_INET6", ...UDPTUNNEL];
const start = (...args: string[]) => new Program(["-v", ...args], COMMAND);

test("a server without an address listens on IPv4 only, and relays", async () => {
  const tcp = freeTcpPort();
  using there = await UdpApp.open(await freeUdpPort());
  using here = await UdpApp.open(await freeUdpPort());
  const bind = ["--bind", TUNNEL_HOST];
  await using server = start("-s", `${tcp}`, ...bind, `${APP_HOST}/${there.port}`);
  await server.says(`listening on TCP 0.0.0.0:${tcp}`);
  await using client = start("-c", `${TUNNEL_HOST}/${tcp}`, ...bind, `${APP_HOST}/${here.port}`);
  await client.says("connected: TCP");
  here.send("hello");
  await there.receives("hello");
});

test("a port in use is still reported as such", async () => {
  using taken = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
  await using server = start("-s", `${taken.port}`, `${APP_HOST}/9`);
  expect(await server.exited()).toBe(1);
  expect(server.lines.at(-1)).toContain(`cannot listen on TCP 0.0.0.0:${taken.port}: EADDRINUSE; `);
});

test("a given IPv6 address is rejected with the reason", async () => {
  await using server = start("-s", `::1/${freeTcpPort()}`, `${APP_HOST}/9`);
  expect(await server.exited()).toBe(1);
  expect(server.lines.at(-1)).toEndWith("EAFNOSUPPORT");
});

test("a process that may open only Internet sockets (RestrictAddressFamilies=) serves clients", async () => {
  const tcp = freeTcpPort();
  using there = await UdpApp.open(await freeUdpPort());
  const command = ["python3", WITHOUT, "AF_UNIX,AF_NETLINK", ...UDPTUNNEL];
  const args = ["-v", "-p", "-s", `${TUNNEL_HOST}/${tcp}`, `${APP_HOST}/${there.port}`];
  await using server = new Program(args, command);
  await server.says("listening on TCP");
  using peer = await connectRaw(tcp);
  peer.socket.write(Uint8Array.of(0, 2, 0x68, 0x69));
  await there.receives("hi");
});
