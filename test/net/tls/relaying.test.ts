import { expect } from "bun:test";
import { freeEvenPort } from "../../../scripts/free-ports.ts";
import { Application } from "../../support/application.ts";
import { expectConserved } from "../../support/conservation.ts";
import { APP_HOST, TUNNEL_HOST, UdpApp } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { NumberedStream } from "../../support/numbered-stream.ts";
import { until } from "../../support/until.ts";
import { arrives, TlsScene } from "./tls-scene.ts";

const testTls = testNeeding("openssl");

testTls("two ends relay both ways, and report that they are connected", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  const here = await scene.client(there.tcp);
  await arrives(here, there, "out");
  await arrives(there, here, "and back");
  const types = here.events.map(({ type }) => type).filter((type) => type !== "socket settings");
  expect(types).toEqual(["listening", "connected"]);
  expect(here.warnings).toEqual([]);
  expectConserved(here.tunnel, there.tunnel);
});

testTls("in per-source mode each source has its own TLS connection", async () => {
  await using scene = new TlsScene();
  const target = await Bun.udpSocket({
    hostname: APP_HOST,
    socket: {
      data: (socket, payload, port, address) => void socket.send(`answer to ${payload}`, port, address),
      error() {},
    },
  });
  const there = await scene.server({
    perSource: true,
    target: `${APP_HOST}/${target.port}`,
    bind: undefined,
  });
  const here = await scene.client(there.tcp, { perSource: true, ca: scene.authority.cert });
  const client = { hostname: TUNNEL_HOST, port: here.app.port };
  for (const text of ["one", "two", "three"]) {
    const answer = Promise.withResolvers<string>();
    const socket = { data: (_socket: unknown, payload: Buffer) => answer.resolve(payload.toString()) };
    const source = await Bun.udpSocket({ hostname: TUNNEL_HOST, connect: client, socket });
    source.send(text);
    expect(await answer.promise).toBe(`answer to ${text}`);
    source.close();
  }
  target.close();
  expect(there.tunnel.counters.connects).toBe(3);
});

testTls("10,000 datagrams in each direction at once arrive unchanged", async () => {
  await using scene = new TlsScene();
  const there = await scene.server({ maxDelayMs: 0 });
  const here = await scene.client(there.tcp, { ca: scene.authority.cert, maxDelayMs: 0 });
  await arrives(here, there, "ready");
  await arrives(there, here, "steady");
  for (const { app } of [here, there]) app[Symbol.dispose]();
  using a = applicationOf(here.app.port);
  using b = applicationOf(there.app.port);
  const count = 10_000;
  const [out, back] = [new NumberedStream(1, 1200), new NumberedStream(2, 300)];
  const all = Promise.all([b.expect(out, count), a.expect(back, count)]);
  const sends = [a.send(out, 0, 12_000, (n) => n === count), b.send(back, 0, 12_000, (n) => n === count)];
  await Promise.all([all, ...sends]);
  expectConserved(here.tunnel, there.tunnel);
});

testTls("RTP mode uses TLS on both connections", async () => {
  await using scene = new TlsScene();
  const [tcp, udp, own] = [await freeEvenPort(), await freeEvenPort(), await freeEvenPort()];
  const there = await scene.server({
    rtp: true,
    listen: `${TUNNEL_HOST}/${tcp}`,
    target: `${APP_HOST}/${udp}`,
  });
  await scene.client(tcp, { rtp: true, ca: scene.authority.cert, target: `${APP_HOST}/${own}` });
  using listener = await UdpApp.open(udp + 1);
  using source = await UdpApp.open(own + 1);
  await until("an RTCP packet", () => {
    source.send("report");
    return listener.texts.includes("report");
  });
  expect(there.tunnel.counters.connects).toBe(1);
});

function applicationOf(port: number): Application {
  return Application.open({ address: "127.0.0.2", port, tunnelAddress: "127.0.0.1" });
}

testTls(
  "a second client from the peer's address replaces it with its first datagram, and not before",
  async () => {
    await using scene = new TlsScene();
    const there = await scene.server();
    const first = await scene.client(there.tcp);
    await arrives(first, there, "the first");
    const second = await scene.client(there.tcp);
    await until("the second connection", () => second.tunnel.counters.connects === 1);
    await arrives(there, first, "still to the first");
    await arrives(second, there, "the second");
    await arrives(there, second, "to the second");
  },
);
