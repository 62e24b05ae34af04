/** How UDP sockets that are read directly share the time slice. */

import { afterEach, expect, test } from "bun:test";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import { systemClock } from "../../../src/net/clock.ts";
import { LinuxDirectReceive } from "../../../src/net/linux/direct-receive.ts";
import { READINESS_CODE } from "../../../src/net/linux/readiness-signal.ts";
import { libc, noLibc } from "./open-libc.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A flooded socket that is read directly when the test reports it as readable. */
async function openFlooded(clock: typeof systemClock, onDatagram: () => void) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const handlers = { drain: () => resolve(), error() {} };
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", socket: handlers });
  await promise;
  const flooded = { count: 0, report: () => direct.onError(READINESS_CODE) };
  const receiver = {
    onDatagram() {
      flooded.count++;
      onDatagram();
    },
    onError() {},
  };
  const options = { clock, merge: false, always: true, mayOpen: () => true };
  const direct = new LinuxDirectReceive(libc, fdOf(socket), receiver, options);
  direct.onFirstDrain();
  const source = await Bun.udpSocket({ hostname: "127.0.0.1" });
  for (let sent = 0; sent < 200; sent++) source.send("x", socket.port, "127.0.0.1");
  cleanups.push(() => {
    direct.close();
    for (const open of [socket, source]) open.close();
  });
  return flooded;
}

test.skipIf(noLibc)("flooded sockets get one quantum each, in rotation, a few in each tick", async () => {
  const endings: (() => void)[] = [];
  let nowMs = 0;
  const clock = { ...systemClock, now: () => nowMs, endOfTick: (run: () => void) => void endings.push(run) };
  const endTick = () => {
    for (const end of endings.splice(0)) end();
  };
  const sockets = await Promise.all(
    Array.from({ length: 6 }, () => openFlooded(clock, () => (nowMs += 0.1))),
  );
  const report = () => {
    for (const socket of sockets) socket.report();
    return sockets.map(({ count }) => count);
  };
  expect(report()).toEqual([32, 32, 32, 32, 32, 32]); // 3.2 ms each: the slice is used up
  expect(report()).toEqual([32, 32, 32, 32, 32, 32]); // they wait
  endTick();
  expect(report()).toEqual([64, 64, 64, 64, 32, 32]);
  endTick();
  expect(report()).toEqual([96, 96, 64, 64, 64, 64]);
  endTick();
  expect(report()).toEqual([128, 128, 96, 96, 64, 64]); // those that wait longest come first
});
