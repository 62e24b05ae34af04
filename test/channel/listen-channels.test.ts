/** Listeners for datagram channels on a network in memory: options, limits, eviction and shared memory. */

import { expect, test } from "bun:test";
import { type DatagramChannel, dialChannel, listenChannels } from "../../src/index.ts";
import { ChannelScene, connect, drops, expectConserved } from "./channel-scene.ts";

test("all problems of the options are reported at once, before anything is opened", async () => {
  const wrong = { connect: "a/b/c", maxDelayMs: -1, target: "10.0.0.1/5", qeueBytesMax: 5 } as object;
  const failure = await dialChannel(wrong as { connect: string }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "ERR_OPTIONS" });
  expect((failure as { problems: { option: string }[] }).problems.map(({ option }) => option).sort()).toEqual(
    ["connect", "maxDelayMs", "qeueBytesMax", "target"],
  );
  const noPort = { code: "ERR_OPTIONS", problems: [{ option: "connect" }] };
  expect(await dialChannel({ connect: "10.0.0.1" }).catch((error: unknown) => error)).toMatchObject(noPort);
  const missing = { code: "ERR_OPTIONS", problems: [{ option: "listen" }] };
  const nothing = {} as { listen: string };
  expect(await listenChannels(nothing, () => {}).catch((error: unknown) => error)).toMatchObject(missing);
});

test("a signal that a listener of the first events aborts rejects the start, and nothing stays open", async () => {
  const scene = new ChannelScene();
  const stopped = new AbortController();
  const reason = new Error("aborted by the test");
  const onEvent = () => stopped.abort(reason);
  const extras = { network: scene.farNetwork, signal: stopped.signal, onEvent };
  await expect(listenChannels({ listen: connect }, () => {}, extras)).rejects.toBe(reason);
  expect([scene.wire.listeners.size, scene.clock.pending]).toEqual([0, 0]);
});

test("a listener rejects connections over its limits, and ends idle channels", async () => {
  const scene = new ChannelScene();
  const options = { listen: connect, allow: ["10.0.0.0/8"], maxSessionsPerAddress: 1, idleTimeoutMs: 3000 };
  const ends: string[] = [];
  const warnings: string[] = [];
  const server = await listenChannels(
    options,
    (channel) => void channel.closed.then(({ reason }) => ends.push(reason)),
    { network: scene.farNetwork, onEvent: ({ type }, level) => level === "warning" && warnings.push(type) },
  );
  const first = await scene.connect("10.0.0.5");
  const second = await scene.connect("10.0.0.5");
  const notAllowed = await scene.connect("192.0.2.1");
  expect([first, second, notAllowed].map(({ observed }) => observed.closed)).toEqual([false, true, true]);
  expect([server.channels.size, server.rejectedConnections]).toEqual([1, 2]);
  expect(warnings).toEqual(["address limit"]);
  await scene.clock.advance(5500);
  expect(ends).toEqual(["idle"]);
  expect(server.channels.size).toBe(0);
  await scene.connect("10.0.0.5");
  expect(server.channels.size).toBe(1);
  await scene.closeAll(server);
  expect(ends).toEqual(["idle", "closing"]);
  expect(scene.wire.listeners.size).toBe(0);
});

test("a listener evicts the channel that was idle longest before descriptors run short", async () => {
  const scene = new ChannelScene();
  Object.assign(scene.farNetwork, { descriptorLimit: () => 8 });
  const server = await listenChannels({ listen: connect, idleTimeoutMs: 0 }, () => {}, {
    network: scene.farNetwork,
  });
  const near: DatagramChannel[] = [];
  for (let count = 0; count < 5; count++) {
    near.push(await scene.settled(dialChannel({ connect }, { network: scene.nearNetwork })));
    await scene.clock.advance(61_000);
  }
  expect(server.channels.size).toBe(4);
  await near[0]?.closed;
  await scene.closeAll(server, ...near);
});

test("the channels of one listener share a limit of sixteen queues", async () => {
  const scene = new ChannelScene();
  scene.wire.streamFaults.bufferBytes = 0;
  const channels: DatagramChannel[] = [];
  const options = { listen: connect, queueBytesMax: 128 * 1024, maxDelayMs: 0, idleTimeoutMs: 0 };
  const extras = { network: scene.farNetwork };
  const server = await listenChannels(options, (channel) => void channels.push(channel), extras);
  for (let number = 0; number < 17; number++) await scene.connect(`10.0.0.${number + 10}`);
  const full = channels.map((channel) => {
    for (let number = 0; number < 128; number++) if (!channel.send(new Uint8Array(1022))) return false;
    return true;
  });
  expect(full).toEqual([...Array.from({ length: 16 }, () => true), false]);
  expect(drops(channels[16], "outbound")).toEqual({ "queue full": 1 });
  await scene.closeAll(server);
  expectConserved(...channels);
});
