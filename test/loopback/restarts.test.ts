import { expect, test } from "bun:test";
import { startClient, startServer } from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const ROUNDS = 5;

/** Sends a numbered datagram every few milliseconds until stopped. */
function load(app: UdpApp) {
  let sent = 0;
  const timer = setInterval(() => app.send(`${sent++}`), 2);
  return { stop: () => clearInterval(timer) };
}

const increasing = (texts: readonly string[]) =>
  texts.every((text, index) => index === 0 || Number(text) > Number(texts[index - 1]));

test("a client outlives its server killed under load, again and again", async () => {
  const tcp = freeTcpPort();
  const udp = { there: await freeUdpPort(), here: await freeUdpPort() };
  const args = ["-s", `${TUNNEL_HOST}/${tcp}`, "-v", "--bind", TUNNEL_HOST, `${APP_HOST}/${udp.there}`];
  await using client = await startClient({
    connect: `${TUNNEL_HOST}/${tcp}`,
    target: `${APP_HOST}/${udp.here}`,
    bind: TUNNEL_HOST,
  });
  using here = await UdpApp.open(udp.here);
  using there = await UdpApp.open(udp.there);
  const { stop } = load(here);
  for (let round = 1; round <= ROUNDS; round++) {
    await using server = new Program(args);
    await server.says("listening on TCP");
    const before = there.received.length;
    await until("a datagram within a second", () => there.received.length > before, 1000);
    await until("more", () => there.received.length > before + 20);
    expect(client.counters.connects).toBe(round);
    server.child.kill("SIGKILL");
    await server.exited();
    expectConserved(client);
  }
  stop();
  expect(increasing(there.texts)).toBe(true);
  await client.close();
  expectConserved(client);
  expect(client.held).toEqual({ outbound: 0, inbound: 0 });
});

test("a server outlives its client killed under load, again and again", async () => {
  const udp = { there: await freeUdpPort(), here: await freeUdpPort() };
  await using server = await startServer({
    listen: `${TUNNEL_HOST}/0`,
    target: `${APP_HOST}/${udp.there}`,
    bind: TUNNEL_HOST,
  });
  const args = [
    "-c",
    `${TUNNEL_HOST}/${server.tcp[0]?.port}`,
    "--bind",
    TUNNEL_HOST,
    `${APP_HOST}/${udp.here}`,
  ];
  using here = await UdpApp.open(udp.here);
  using there = await UdpApp.open(udp.there);
  const { stop } = load(there);
  for (let round = 1; round <= ROUNDS; round++) {
    await using client = new Program(args);
    const before = here.received.length;
    await until("a datagram", () => here.received.length > before + 20);
    expect(server.counters.connects).toBe(round);
    client.child.kill("SIGKILL");
    await client.exited();
    expectConserved(server);
  }
  stop();
  expect(increasing(here.texts)).toBe(true);
  await server.close();
  expectConserved(server);
});
