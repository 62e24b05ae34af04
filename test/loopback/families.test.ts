/** IPv4 and IPv6 together, on real sockets. */

import { afterEach, describe, expect, test } from "bun:test";
import {
  type ClientOptions,
  type ServerOptions,
  startClient,
  startServer,
  type Tunnel,
} from "../../src/index.ts";
import { LinuxSockets } from "../../src/net/linux/linux-sockets.ts";
import { expectConserved } from "../support/conservation.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { until } from "../support/until.ts";

const tunnels: Tunnel[] = [];
afterEach(async () => {
  const started = tunnels.splice(0);
  await Promise.all(started.map((tunnel) => tunnel.close()));
  expectConserved(...started);
});

async function server(options: Partial<ServerOptions>): Promise<Tunnel> {
  const tunnel = await startServer({ listen: 0, target: `${APP_HOST}/${await freeUdpPort()}`, ...options });
  tunnels.push(tunnel);
  return tunnel;
}

async function client(options: Omit<ClientOptions, "target"> & Partial<ClientOptions>): Promise<Tunnel> {
  const tunnel = await startClient({ target: `127.0.0.3/${await freeUdpPort()}`, ...options });
  tunnels.push(tunnel);
  return tunnel;
}

const isUp = ({ counters }: Tunnel) => counters.connects > 0;

describe("a server without an address", () => {
  test.each([TUNNEL_HOST, "::1", "localhost", "::ffff:127.0.0.1"])("is reached at %p", async (host) => {
    const there = await server({});
    const here = await client({ connect: `${host}/${there.tcp[0]?.port}` });
    await until("the connection", () => isUp(here) && isUp(there));
  });

  test.each([
    [6, "::1", TUNNEL_HOST],
    [4, TUNNEL_HOST, "::1"],
  ] as const)("with family %p is not reached by the other family", async (family, own, other) => {
    const target = `${own}/${await freeUdpPort()}`;
    const there = await server({ family, target, anySource: true });
    const dial = (hostname: string) =>
      Bun.connect({ hostname, port: there.tcp[0]?.port ?? 0, socket: { data() {} } });
    await expect(dial(other)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    using otherApp = await UdpApp.open(0, "127.0.0.9");
    otherApp.send("x", there.udp[0]?.port);
    const connection = await dial(own);
    await until("the connection", () => isUp(there));
    expect(there.counters.outbound.received).toBe(family === 4 ? 1 : 0);
    connection.terminate();
  });

  test("compares a v4-mapped client address as IPv4", async () => {
    const there = await server({ allow: ["127.0.0.0/8"] });
    const here = await client({ connect: `127.0.0.1/${there.tcp[0]?.port}` });
    await until("the connection", () => isUp(here) && isUp(there));
    expect(there.counters.rejectedConnections).toBe(0);
    await client({ connect: `::1/${there.tcp[0]?.port}` });
    await until("the rejection", () => there.counters.rejectedConnections > 0);
  });
});

test("a v4-mapped source address is compared as IPv4", async () => {
  const udp = await freeUdpPort();
  const there = await server({ target: `::ffff:${APP_HOST}/${udp}` });
  expect(there.udp[0]?.address).toBe("::");
  using app = await UdpApp.open(udp);
  using otherApp = await UdpApp.open(0, "127.0.0.9");
  otherApp.send("no", udp);
  app.send("yes");
  const { outbound } = there.counters;
  await until("both", () => outbound.received === 2);
  expect(outbound.dropped["wrong source"]).toBe(1);
});

/** False when test/support/without-linux.ts simulates another system. */
const hasLinuxExtras =
  LinuxSockets.open({ deadAfterMs: 15_000, socketBufferBytes: 65_536, offload: "auto" }) !== undefined;

test("a name is accepted wherever an address is", async () => {
  const tcp = freeTcpPort();
  const udp = { there: await freeUdpPort(), here: await freeUdpPort() };
  const there = await server({
    listen: `localhost/${tcp}`,
    bind: "localhost",
    target: `${APP_HOST}/${udp.there}`,
  });
  const here = await client({
    connect: `localhost/${tcp}`,
    bind: "localhost",
    ...(hasLinuxExtras && { tcpBind: "localhost" }),
    target: `${APP_HOST}/${udp.here}`,
  });
  await until("the connection", () => isUp(here) && isUp(there));
  expect([...there.tcp, ...there.udp, ...here.udp].map(({ address }) => address)).toEqual(
    new Array(3).fill(TUNNEL_HOST),
  );
});
