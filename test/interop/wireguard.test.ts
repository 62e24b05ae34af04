/** WireGuard through the tunnel, on a path that blocks UDP. */

import { expect } from "bun:test";
import { $ } from "bun";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { testNeeding } from "../support/need.ts";
import { INSIDE, OUTSIDE, TwoHosts } from "./two-hosts.ts";

const TCP_PORT = 5000;
const TUNNEL_PORT = 51820;
const WIREGUARD_PORT = 51821;
const FILE_BYTES = 10_000_000;

testNeeding(
  "root",
  "ip",
  "wg",
  "wireguard-go",
  "ping",
)("WireGuard crosses a path that carries only TCP", async () => {
  await using hosts = await TwoHosts.open();
  const near = hosts.space("near");
  const serving = ["-s", `${OUTSIDE.far}/${TCP_PORT}`, `127.0.0.1/${WIREGUARD_PORT}`];
  await hosts.start("far", [...UDPTUNNEL, "-v", "-p", ...serving]).said(/listening on TCP/);
  const asking = ["-c", `${OUTSIDE.far}/${TCP_PORT}`, `127.0.0.1/${TUNNEL_PORT}`];
  await hosts.start("near", [...UDPTUNNEL, "-v", "-p", ...asking]).said(/relaying UDP/);
  const keys = {
    near: await hosts.addWireguard("near", 0),
    far: await hosts.addWireguard("far", WIREGUARD_PORT),
  };
  await hosts.setPeer("far", keys.near);
  await hosts.setPeer("near", keys.far, "endpoint", `${OUTSIDE.far}:${WIREGUARD_PORT}`);
  const ping = (seconds: number) => ["ping", "-c", "2", "-i", "0.2", "-w", `${seconds}`, INSIDE.far];
  const direct = await $`ip netns exec ${near} ${ping(2)}`.quiet().nothrow();
  expect(direct.exitCode).not.toBe(0);
  await hosts.setPeer("near", keys.far, "endpoint", `127.0.0.1:${TUNNEL_PORT}`);
  // WireGuard tries a handshake every 5 s.
  const through = await $`ip netns exec ${near} ${ping(20)}`.quiet().nothrow();
  expect(through.exitCode).toBe(0);

  const program = [process.execPath, new URL("send-file.ts", import.meta.url).pathname];
  const sending = hosts.start("far", [...program, INSIDE.far, `${FILE_BYTES}`]);
  const [, port = "", sum] = /^port (\d+) sum (\w+)$/.exec(await sending.said(/^port/)) ?? [];
  const fetched = await $`ip netns exec ${near} ${[...program, "fetch", INSIDE.far, port]}`.text();
  expect(fetched.trim()).toBe(`${FILE_BYTES} ${sum}`);
});
