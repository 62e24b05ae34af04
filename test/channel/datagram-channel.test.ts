/** Datagram channels on a network in memory: delivery, drops, back-pressure, limits and ends. */

import { expect, test } from "bun:test";
import { type DatagramChannel, listenChannels } from "../../src/index.ts";
import { App, CLIENT, CLIENT_APP } from "../support/memory-tunnels.ts";
import { frames, utf8 } from "../support/text.ts";
import { ChannelScene, connect, drops, expectConserved, text } from "./channel-scene.ts";

test("a channel carries datagrams of every length in both directions, in order and unchanged", async () => {
  const scene = new ChannelScene();
  const { near, far, server } = await scene.channels();
  const payloads = [0, 1, 2, 1200, 65_507, 65_535].map((length) => new Uint8Array(length).fill(length));
  const echoed: Uint8Array[] = [];
  far.receive((datagram) => void far.send(datagram));
  near.receive((datagram) => void echoed.push(datagram));
  for (const payload of payloads) expect(near.send(payload)).toBe(true);
  await scene.clock.settle();
  expect(echoed).toEqual(payloads);
  expect(near.stats().outbound).toMatchObject({ received: 6, sent: 6 });
  expectConserved(near, far);
  await scene.closeAll(near, server);
});

test("a channel can be one end of a tunnel", async () => {
  const scene = new ChannelScene();
  const arrived = Promise.withResolvers<DatagramChannel>();
  const server = await listenChannels({ listen: connect }, arrived.resolve, { network: scene.farNetwork });
  await scene.client();
  await scene.clock.settle();
  const far = await arrived.promise;
  const app = new App(scene.wire, CLIENT_APP);
  app.send(CLIENT, "over UDP");
  const first = far[Symbol.asyncIterator]().next();
  await scene.clock.settle();
  expect(text((await first).value ?? undefined)).toBe("over UDP");
  far.send(utf8("and back"));
  await scene.clock.settle();
  expect(app.texts).toEqual(["and back"]);
  const ending = scene.end();
  await scene.closeAll(server);
  await ending;
});

test("send rejects datagrams that are too long, and all datagrams after the close", async () => {
  const scene = new ChannelScene();
  const { near, far, server } = await scene.channels();
  far.receive(() => {});
  expect(near.send(new Uint8Array(65_536))).toBe(false);
  await scene.closeAll(near);
  expect(near.send(utf8("late"))).toBe(false);
  expect(drops(near, "outbound")).toEqual({ "too long": 1, "no stream": 1 });
  expect(await near.closed).toEqual({ reason: "closing" });
  await scene.closeAll(server);
  expect(await far.closed).toEqual({ reason: "closed by peer" });
});

test("the queue drops the oldest datagrams when it is full, and expired ones", async () => {
  const scene = new ChannelScene();
  scene.wire.streamFaults.bufferBytes = 0;
  const { near, far, server } = await scene.channels({ queueBytesMax: 128 * 1024, maxDelayMs: 50 });
  for (let number = 0; number < 130; number++)
    expect(near.send(new Uint8Array(1022).fill(number))).toBe(true);
  expect(near.bufferedAmount).toBe(128 * 1024);
  expect(near.stats().outbound).toMatchObject({ held: 128, dropped: { "queue full": 2 } });
  await scene.clock.advance(60);
  near.send(utf8("fresh"));
  await scene.clock.settle();
  expect(near.stats().outbound).toMatchObject({ held: 1, dropped: { "queue full": 3, expired: 127 } });
  expectConserved(near, far);
  near.send(utf8("last"));
  await scene.closeAll(near, server);
  expect(near.stats().outbound).toMatchObject({ held: 0, sent: 0 });
  expectConserved(near, far);
});

test("a slow consumer holds the peer back and loses no datagram", async () => {
  const scene = new ChannelScene();
  scene.wire.streamFaults.bufferBytes = 64 * 1024;
  const { near, far, server } = await scene.channels({ maxDelayMs: 0 });
  const TOTAL = 4000;
  for (let number = 0; number < TOTAL; number++) near.send(new Uint8Array(1000).fill(number));
  await scene.clock.advance(5000);
  const { held } = far.stats().inbound;
  expect(held).toBeGreaterThanOrEqual(1024);
  expect(held).toBeLessThan(1100);
  expect(near.stats().outbound.held).toBeGreaterThan(TOTAL / 2);
  let taken = 0;
  for await (const datagram of far) {
    if (datagram[999] !== taken % 256) throw new Error(`datagram ${taken} has changed`);
    if (++taken === TOTAL) break;
    if (taken % 100 === 0) await scene.clock.settle();
  }
  expect(far.stats().inbound).toMatchObject({ received: TOTAL, sent: TOTAL, held: 0 });
  await scene.closeAll(near, server);
});

test("a receiver gets the buffered datagrams first", async () => {
  const scene = new ChannelScene();
  scene.wire.streamFaults.bufferBytes = 1 << 22;
  const { near, far, server } = await scene.channels({ maxDelayMs: 0 });
  const numbers = Array.from({ length: 3000 }, (_, number) => number);
  for (const number of numbers) near.send(new Uint8Array(new Uint32Array([number]).buffer));
  await scene.clock.settle();
  expect(far.stats().inbound.held).toBe(numbers.length);
  const received: number[] = [];
  far.receive((datagram) => void received.push(new Uint32Array(datagram.slice().buffer)[0] ?? -1));
  await scene.clock.settle();
  expect(received).toEqual(numbers);
  await scene.closeAll(near, server);
});

test("after the FIN of the peer, answers to all its datagrams still reach it", async () => {
  const scene = new ChannelScene();
  const accepted = Promise.withResolvers<DatagramChannel>();
  const answered = (async () => {
    const channel = await accepted.promise;
    for await (const question of channel) {
      await scene.nearNetwork.resolve("10.0.0.1", undefined); // any asynchronous operation
      expect(channel.send(utf8(`${text(question)}!`))).toBe(true);
    }
    return await channel.closed;
  })();
  const server = await listenChannels({ listen: connect }, accepted.resolve, { network: scene.farNetwork });
  const { stream, observed } = await scene.connect(CLIENT);
  stream.write(frames("one", "two"));
  stream.shutdown();
  await scene.clock.advance(100);
  expect(await answered).toEqual({ reason: "closed by peer" });
  expect(new Uint8Array(Buffer.concat(observed.chunks))).toEqual(frames("one!", "two!"));
  expect(observed).toMatchObject({ ended: true, closed: true });
  await scene.closeAll(server);
});

test("a lost connection ends the iteration after the received datagrams", async () => {
  const scene = new ChannelScene();
  const { near, far, server } = await scene.channels();
  near.send(utf8("first"));
  near.send(utf8("second"));
  await scene.clock.settle();
  for (const end of scene.stream) end.fail("ECONNRESET");
  expect(await far.closed).toEqual({ reason: "connection lost", code: "ECONNRESET" });
  const received: (string | undefined)[] = [];
  for await (const datagram of far) received.push(text(datagram));
  expect(received).toEqual(["first", "second"]);
  expect(far.send(utf8("answer"))).toBe(false);
  expectConserved(near, far);
  await scene.closeAll(server);
});

test("leaving the loop does not close the channel, and closing ends the loop", async () => {
  const scene = new ChannelScene();
  const { near, far, server } = await scene.channels();
  for (const word of ["one", "two", "three"]) near.send(utf8(word));
  await scene.clock.settle();
  for await (const datagram of far) {
    expect(text(datagram)).toBe("one");
    break;
  }
  const iterator = far[Symbol.asyncIterator]();
  expect(text((await iterator.next()).value ?? undefined)).toBe("two");
  await scene.closeAll(far, server);
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  expect(drops(far, "inbound")).toEqual({ closing: 1 });
  expectConserved(near, far);
});

test("closing while the peer is held back drops the received datagrams at once", async () => {
  const scene = new ChannelScene();
  const { near, far, server } = await scene.channels({ maxDelayMs: 0 });
  for (let number = 0; number < 3000; number++) near.send(new Uint8Array(10));
  await scene.clock.settle();
  expect(far.stats().inbound.held).toBe(3000);
  await scene.closeAll(far, near, server);
  const { received } = far.stats().inbound;
  expect(received).toBeGreaterThan(1024);
  expect(far.stats().inbound).toMatchObject({ held: 0, dropped: { closing: received } });
  expectConserved(near, far);
});

test("a channel whose peer reads nothing ends once, as stalled", async () => {
  const scene = new ChannelScene();
  const { near, far, server } = await scene.channels({ deadAfterMs: 3000, maxDelayMs: 0 });
  for (const end of scene.stream) end.faults.bufferBytes = 0;
  near.send(utf8("never read"));
  await scene.clock.advance(5000);
  expect(await near.closed).toEqual({ reason: "stalled", code: undefined });
  expect(drops(near, "outbound")).toEqual({ "stream lost": 1 });
  expect(await far.closed).toEqual({ reason: "connection lost", code: "ECONNRESET" });
  expectConserved(near, far);
  await scene.closeAll(server);
});
