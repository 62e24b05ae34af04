import { expect, test } from "bun:test";
import { type HostNetwork, NetError } from "../../../src/net/network.ts";
import type { StreamPort } from "../../../src/net/stream-port.ts";
import { EventReporter } from "../../../src/observe/event-reporter.ts";
import type { ServerList } from "../../../src/tunnel/dial/server-list.ts";
import { DialQueue } from "../../../src/tunnel/session/dial-queue.ts";
import { VirtualClock } from "../../support/memory/virtual-clock.ts";

test("an early close during a dial that then fails starts one redial timer, not two", async () => {
  const clock = new VirtualClock();
  const dials: PromiseWithResolvers<StreamPort>[] = [];
  const network = {
    clock,
    random: () => 0.5,
    dial: () => {
      const dial = Promise.withResolvers<StreamPort>();
      dials.push(dial);
      return { stream: dial.promise, cancel() {} };
    },
  } as Partial<HostNetwork> as HostNetwork;
  const servers = {
    name: "server",
    addresses: async () => [{ address: "10.0.0.1", port: 4000, host: "server" }],
    next() {},
  } as Partial<ServerList> as ServerList;
  const dialQueue = new DialQueue(network, network, new EventReporter(() => clock.now()), servers);
  dialQueue.add({ pending: true, onStream() {} });
  await clock.settle();
  expect(dials).toHaveLength(1);
  for (let n = 0; n < 3; n++) dialQueue.onEarlyClose();
  dials[0]?.reject(new NetError("ECONNREFUSED", "refused"));
  await clock.settle();
  expect(clock.pending).toBe(1);
  await clock.advance(150); // after the delay of the first, before the end of the second
  expect(dials).toHaveLength(1);
  await clock.advance(100);
  expect(dials).toHaveLength(2);
  dialQueue.stop();
  await clock.settle();
  expect(clock.pending).toBe(0);
});
