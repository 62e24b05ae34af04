/** Dialling a datagram channel on a network in memory: addresses, errors and the abort signal. */

import { expect, test } from "bun:test";
import { type DatagramChannel, dialChannel, listenChannels } from "../../src/index.ts";
import { ChannelScene, connect } from "./channel-scene.ts";

test("a signal cancels the dial, and later closes the channel", async () => {
  const scene = new ChannelScene();
  scene.wire.dialFault = () => "hang";
  const reason = new Error("cancelled by the test");
  const early = new AbortController();
  const dial = dialChannel({ connect }, { network: scene.nearNetwork, signal: early.signal });
  await scene.clock.settle();
  early.abort(reason);
  await expect(dial).rejects.toBe(reason);
  const signal = early.signal;
  await expect(dialChannel({ connect }, { network: scene.nearNetwork, signal })).rejects.toBe(reason);
  scene.wire.dialFault = () => undefined;
  const { server } = await scene.channels();
  const late = new AbortController();
  const channel = await scene.settled(
    dialChannel({ connect }, { network: scene.nearNetwork, signal: late.signal }),
  );
  late.abort();
  await scene.clock.advance(1100);
  expect(await channel.closed).toEqual({ reason: "closing" });
  await scene.closeAll(server);
});

test("a signal that is aborted in the tick in which the connection came up closes the connection", async () => {
  const scene = new ChannelScene();
  const ends: string[] = [];
  const onChannel = (channel: DatagramChannel) => {
    channel.receive(() => {});
    void channel.closed.then(({ reason }) => ends.push(reason));
  };
  const server = await listenChannels({ listen: connect }, onChannel, { network: scene.farNetwork });
  const stopped = new AbortController();
  const reason = new Error("aborted by the test");
  const dial = scene.nearNetwork.dial.bind(scene.nearNetwork);
  scene.nearNetwork.dial = (to) => {
    const dialled = dial(to);
    queueMicrotask(() => void dialled.stream.then(() => stopped.abort(reason))); // after the channel is made
    return dialled;
  };
  const channel = dialChannel({ connect }, { network: scene.nearNetwork, signal: stopped.signal });
  const failed = channel.catch((error: unknown) => error);
  await scene.clock.advance(1100);
  expect(await failed).toBe(reason);
  expect(ends).toEqual(["closed by peer"]);
  await scene.closeAll(server);
});

test("a dial tries every address for 5 s each, and rejects with the error of the last", async () => {
  const scene = new ChannelScene();
  scene.wire.names.set("servers.test", ["10.0.0.7", "10.0.0.8"]);
  scene.wire.dialFault = ({ address }) => (address === "10.0.0.7" ? "hang" : undefined);
  const dial = dialChannel({ connect: ["nowhere.test/1", "servers.test/2"] }, { network: scene.nearNetwork });
  const failed = dial.catch((error: unknown) => error);
  await scene.clock.advance(4999);
  expect(scene.wire.dialled).toEqual(["10.0.0.7:2"]);
  await scene.clock.advance(1);
  expect(scene.wire.dialled).toEqual(["10.0.0.7:2", "10.0.0.8:2"]);
  expect(await failed).toMatchObject({ code: "ERR_DIAL", cause: { code: "ECONNREFUSED" } });
  expect(scene.clock.pending).toBe(0);
});
