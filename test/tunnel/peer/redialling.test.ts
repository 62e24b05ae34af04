import { expect, test } from "bun:test";
import type { TunnelEvent } from "../../../src/index.ts";
import {
  App,
  CLIENT,
  CLIENT_APP,
  Scene,
  SERVER,
  SERVER_APP,
  TCP_PORT,
  UDP_PORT,
} from "../../support/memory-tunnels.ts";

const OTHER = "10.0.0.9";

/** Advances the clock and returns the times of dials, in milliseconds since the call. */
async function dialTimes(scene: Scene, ms: number, each: (ms: number) => void = () => {}): Promise<number[]> {
  const times: number[] = [];
  for (let now = 0; now <= ms; now++) {
    const before = scene.wire.dialled.length;
    each(now);
    await scene.clock.advance(now === 0 ? 0 : 1);
    for (let dial = before; dial < scene.wire.dialled.length; dial++) times.push(now);
  }
  return times;
}

test("the client dials after 0.1 s, doubling to 5 s", async () => {
  const scene = new Scene();
  await scene.client();
  expect(scene.wire.dialled).toHaveLength(1);
  expect(await dialTimes(scene, 16_400)).toEqual([100, 300, 700, 1500, 3100, 6300, 11_300, 16_300]);
  await scene.end();
});

test.each([false, true])("while datagrams arrive, it dials at least every 0.8 s (RTP: %p)", async (rtp) => {
  const scene = new Scene();
  await scene.client({ rtp });
  const app = new App(scene.wire, CLIENT_APP);
  await dialTimes(scene, 3200); // without datagrams, the next dial would be at 6300
  expect(new Set(await dialTimes(scene, 3100, () => app.send(CLIENT, "x")))).toEqual(
    new Set([700, 1500, 2300, 3100]),
  );
  await scene.end();
});

test("one datagram during a long delay makes the client dial at once", async () => {
  const scene = new Scene();
  await scene.client();
  const app = new App(scene.wire, CLIENT_APP);
  await dialTimes(scene, 5000);
  expect(await dialTimes(scene, 10, (ms) => ms === 3 && app.send(CLIENT, "x"))).toEqual([3]);
  await scene.end();
});

test("the delay is 0.1 s again after a connection that lasted 5 s, not after a shorter one", async () => {
  const scene = new Scene();
  await scene.client();
  await dialTimes(scene, 1600);
  await scene.server();
  await dialTimes(scene, 1500); // connected since 3100
  await scene.clock.advance(3999);
  for (const end of scene.stream) end.fail("ECONNRESET"); // it lasted 4999 ms
  expect(await dialTimes(scene, 3200)).toEqual([3200]);
  await scene.clock.advance(5000);
  for (const end of scene.stream) end.fail("ECONNRESET");
  expect(await dialTimes(scene, 100)).toEqual([100]);
  await scene.end();
});

test("a name is looked up in each round, and its addresses are tried one by one", async () => {
  const scene = new Scene();
  scene.wire.names.set("server.example", ["10.9.0.1", "10.9.0.2"]);
  await scene.client({ connect: `server.example/${TCP_PORT}` });
  await scene.clock.settle();
  expect(scene.wire.dialled).toEqual(["10.9.0.1:4000", "10.9.0.2:4000"]);
  scene.wire.names.set("server.example", ["10.9.0.3"]);
  await scene.clock.advance(100);
  expect(scene.wire.dialled.at(-1)).toBe("10.9.0.3:4000");
  await scene.end();
});

test("the next address is tried when one does not answer for 5 s", async () => {
  const scene = new Scene();
  await scene.server();
  scene.wire.names.set("server.example", ["10.9.0.1", SERVER]);
  scene.wire.dialFault = (to) => (to.address === "10.9.0.1" ? "hang" : undefined);
  const { tunnel, events } = await scene.client({ connect: `server.example/${TCP_PORT}` });
  await scene.clock.advance(4999);
  expect(scene.wire.dialled).toHaveLength(1);
  await scene.clock.advance(1);
  expect(scene.wire.dialled.at(-1)).toBe(`${SERVER}:${TCP_PORT}`);
  expect(tunnel.counters.inbound.received).toBe(0);
  expect(events.some(({ type }) => type === "connected")).toBe(true);
  await scene.end();
});

test("when the look-up fails, the last known addresses are dialled, with a warning", async () => {
  const scene = new Scene();
  await scene.server();
  scene.wire.names.set("server.example", [SERVER]);
  const { warnings } = await scene.client({ connect: `server.example/${TCP_PORT}` });
  await scene.clock.advance(15_000);
  scene.wire.names.clear();
  for (const end of scene.stream) end.fail("ECONNRESET");
  await scene.clock.advance(100);
  expect(scene.wire.streams).toHaveLength(2);
  expect(warnings).toEqual([
    { type: "name lookup failed", name: "server.example", code: "ENOTFOUND", kept: [SERVER] },
  ]);
  await scene.end();
});

test("the look-up of an unknown server is repeated without limit", async () => {
  const scene = new Scene();
  await scene.server();
  const { events, warnings } = await scene.client({ connect: `server.example/${TCP_PORT}` });
  await scene.clock.advance(60_000);
  scene.wire.names.set("server.example", [SERVER]);
  await scene.clock.advance(5000);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({ type: "dial failed", to: "server.example/4000", code: "ENOTFOUND" });
  expect(events.at(-1)?.type).toBe("connected");
  await scene.end();
});

test("the next of several servers is tried when a dial fails or a connection ends within 5 s", async () => {
  const scene = new Scene();
  await scene.server();
  await scene.server({ listen: `${OTHER}/${TCP_PORT}`, target: `10.0.1.1/${UDP_PORT + 1}` });
  scene.wire.dialFault = () => "ECONNREFUSED";
  await scene.client({ connect: [`${SERVER}/${TCP_PORT}`, `${OTHER}/${TCP_PORT}`] });
  await scene.clock.settle();
  scene.wire.dialFault = () => undefined;
  await scene.clock.advance(100);
  expect(scene.wire.dialled).toEqual([`${SERVER}:${TCP_PORT}`, `${OTHER}:${TCP_PORT}`]);
  await scene.clock.advance(4999);
  for (const end of scene.stream) end.fail("ECONNRESET");
  await scene.clock.advance(200);
  expect(scene.wire.dialled.at(-1)).toBe(`${SERVER}:${TCP_PORT}`);
  await scene.clock.advance(5000);
  for (const end of scene.stream) end.fail("ECONNRESET");
  await scene.clock.advance(100);
  expect(scene.wire.dialled.slice(2)).toEqual([`${SERVER}:${TCP_PORT}`, `${SERVER}:${TCP_PORT}`]);
  await scene.end();
});

test("in RTP mode both connections move to the next server together, and stay there", async () => {
  const scene = new Scene();
  const rtp = true;
  const first = await scene.server({ rtp });
  await scene.server({ rtp, listen: `${OTHER}/${TCP_PORT}`, target: `10.0.1.1/${UDP_PORT + 10}` });
  scene.wire.dialFault = (to) =>
    to.address === SERVER && to.port === TCP_PORT + 1 ? "ECONNREFUSED" : undefined;
  const { tunnel } = await scene.client({ rtp, connect: [`${SERVER}/${TCP_PORT}`, `${OTHER}/${TCP_PORT}`] });
  await scene.clock.advance(2000);
  scene.wire.dialFault = () => undefined;
  await scene.clock.advance(60_000);
  const [half, rtcp, ...rest] = scene.wire.dialled;
  expect([half, rtcp].toSorted()).toEqual([`${SERVER}:4000`, `${SERVER}:4001`]);
  expect(rest).toEqual([`${OTHER}:4000`, `${OTHER}:4001`]);
  expect([tunnel.counters.connects, first.tunnel.counters.connects]).toEqual([1, 0]);
  await scene.end();
});

test("only the first failed dial is a warning, and the first after a useful connection", async () => {
  const scene = new Scene();
  const { events, warnings } = await scene.client();
  await scene.clock.advance(1000);
  const failures = (events: TunnelEvent[]) => events.filter(({ type }) => type === "dial failed").length;
  expect([failures(events), failures(warnings)]).toEqual([4, 1]);
  const { tunnel: server } = await scene.server();
  const app = new App(scene.wire, SERVER_APP);
  await scene.clock.advance(1000);
  app.send(SERVER, "useful");
  await scene.clock.settle();
  const [closing] = [server.close(), await scene.clock.advance(2000)];
  await closing;
  expect(failures(warnings)).toBe(2);
  await scene.end();
});

test("closing cancels a dial that hangs", async () => {
  const scene = new Scene();
  scene.wire.dialFault = () => "hang";
  const { tunnel } = await scene.client();
  await scene.clock.settle();
  const closing = tunnel.close();
  await scene.clock.settle();
  await closing;
  expect(scene.clock.pending).toBe(0);
});

test("--once: closed rejects with ERR_DIAL when every address fails, without an event", async () => {
  const scene = new Scene();
  scene.wire.names.set("server.example", ["10.9.0.1", "10.9.0.2"]);
  const { tunnel, events } = await scene.client({ connect: `server.example/${TCP_PORT}`, once: true });
  const [outcome] = await Promise.allSettled([tunnel.closed, scene.clock.settle()]);
  expect(outcome).toMatchObject({ status: "rejected", reason: { code: "ERR_DIAL" } });
  expect(scene.wire.dialled).toHaveLength(2);
  expect(events.map(({ type }) => type)).toEqual(["listening"]);
  await scene.end();
});

test.each(["peer closes", "connection resets"])("--once: both tunnels end when the %s", async (how) => {
  const scene = new Scene();
  const { server, client } = await scene.pair({ once: true }, { once: true });
  if (how === "peer closes") void server.tunnel.close();
  else for (const end of scene.stream) end.fail("ECONNRESET");
  await scene.clock.advance(1100);
  await Promise.all([client.tunnel.closed, server.tunnel.closed]);
  expect(scene.wire.dialled).toHaveLength(1);
  await scene.end();
});

test("--once: the server stops listening after one connection", async () => {
  const scene = new Scene();
  await scene.pair({ once: true });
  expect(scene.wire.listeners.size).toBe(0);
  await scene.end();
});
