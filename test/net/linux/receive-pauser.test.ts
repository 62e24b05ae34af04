import { describe, expect, test } from "bun:test";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import { systemClock } from "../../../src/net/clock.ts";
import { DropFilter, LinuxReceivePauser } from "../../../src/net/linux/receive-pauser.ts";
import { kernelDrops } from "../../../src/net/linux/socket-options.ts";
import { TimeSlice } from "../../../src/net/time-slice.ts";
import { burn } from "../../support/burn.ts";
import { openFiles } from "../../support/process-figures.ts";
import { until } from "../../support/until.ts";
import { libc, noLibc } from "./open-libc.ts";

const filter = new DropFilter(libc);

function pauserOf(socket: object, slice = TimeSlice.of(systemClock), through = libc): LinuxReceivePauser {
  return new LinuxReceivePauser(through, fdOf(socket), slice, filter);
}

/** A socket after Bun's first `drain`: Bun no longer polls it for writability. */
async function settled(hostname: string, data: () => void): Promise<Bun.udp.Socket<"buffer">> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({ hostname, socket: { data, drain: () => resolve() } });
  await promise;
  return socket;
}

describe.skipIf(noLibc)("a receive pauser", () => {
  test.each(["127.0.0.1", "::1"])(
    "%s: pausing in a callback ends Bun's receive loop; after resuming, Bun reads all datagrams that arrived meanwhile",
    async (hostname) => {
      let pauser: LinuxReceivePauser | undefined;
      let received = 0;
      const filesBefore = openFiles();
      const socket = await settled(hostname, () => onDatagram());
      const onDatagram = () => {
        received++;
        if (received === 1) pauser?.pause(false);
      };
      pauser = pauserOf(socket);
      for (let count = 0; count < 100; count++) socket.send(`${count}`, socket.port, hostname);
      await until("the first datagrams", () => received > 0);
      const inOneTick = received;
      expect(inOneTick).toBeLessThanOrEqual(8); // Bun reads eight at once
      await new Promise(setImmediate);
      expect(received).toBe(inOneTick);
      expect(pauser.fd).not.toBe(fdOf(socket));
      expect(kernelDrops(libc, pauser.fd)).toBe(0);

      pauser.resume();
      await until("the others", () => received === 100);
      expect(pauser.fd).toBe(fdOf(socket));
      socket.close();
      expect(openFiles()).toBeLessThanOrEqual(filesBefore); // an earlier test may still close one
    },
  );

  test.each(["socket", "fcntl"] as const)(
    "without a free descriptor (%s) arriving datagrams are dropped and counted until it resumes",
    async (lacking) => {
      let received = 0;
      const socket = await settled("127.0.0.1", () => void received++);
      const filesBefore = openFiles();
      const pauser = pauserOf(socket, undefined, { ...libc, [lacking]: () => -1, errno: () => "EMFILE" });
      pauser.pause(false);
      for (let count = 0; count < 5; count++) socket.send("dropped", socket.port, "127.0.0.1");
      await until("the drops", () => kernelDrops(libc, fdOf(socket)) === 5);
      pauser.resume();
      socket.send("arrives", socket.port, "127.0.0.1");
      await until("the next", () => received > 0);
      expect(received).toBe(1);
      expect(openFiles()).toBeLessThanOrEqual(filesBefore); // an earlier test may still close one
      socket.close();
    },
  );

  test("a flood of datagrams that take long to handle does not block the event loop, and none is lost", async () => {
    const DATAGRAMS = 5000;
    let mostInTick = 0;
    let sent = 0;
    let received = 0;
    let inTick = 0;
    const source = await Bun.udpSocket({});
    const next = () => {
      if (sent++ < DATAGRAMS) source.send("next", socket.port, "127.0.0.1");
    };
    const socket = await settled("127.0.0.1", () => {
      pauser.onDatagram(false);
      received++;
      burn(10);
      next(); // without pauses Bun's loop would handle all of them
      if (inTick++ === 0) setImmediate(() => (inTick = 0));
      mostInTick = Math.max(mostInTick, inTick);
    });
    const pauser = pauserOf(socket);
    for (let count = 0; count < 64; count++) next();
    await until("the last", () => received === DATAGRAMS);
    // At least 10 us each in one millisecond, checked every 32 datagrams, and the last eight that Bun read.
    expect(mostInTick).toBeLessThanOrEqual(136);
    for (const open of [socket, source]) open.close();
  });

  test("while Bun polls for writability, datagrams that arrive during a pause are dropped and counted", async () => {
    let received = 0;
    const socket = await settled("127.0.0.1", () => received++);
    const pauser = pauserOf(socket);
    pauser.pause(true);
    expect(pauser.fd).toBe(fdOf(socket));
    socket.send("while paused", socket.port, "127.0.0.1");
    expect(kernelDrops(libc, pauser.fd)).toBe(1);
    pauser.resume();
    socket.send("after the pause", socket.port, "127.0.0.1");
    await until("the second", () => received === 1);
    socket.close();
  });

  test("datagrams of several sockets count in one slice, and sockets that had their share wait in rotation", async () => {
    const pausers: LinuxReceivePauser[] = [];
    const endings: (() => void)[] = [];
    let nowMs = 0;
    const clock = {
      ...systemClock,
      now: () => nowMs,
      endOfTick: (run: () => void) => void endings.push(run),
    };
    const endTick = () => endings.splice(0).forEach((end) => void end());
    const sockets = await Promise.all(Array.from({ length: 6 }, () => Bun.udpSocket({})));
    for (const socket of sockets) pausers.push(pauserOf(socket, TimeSlice.of(clock)));
    const open = () => pausers.map(({ fd }, index) => fd === fdOf(sockets[index] as object));
    const flood = (pauser: LinuxReceivePauser) => {
      for (let count = 0; count < 32; count++) pauser.onDatagram(false);
    };
    flood(pausers[0] as LinuxReceivePauser);
    expect(open()).toEqual([true, true, true, true, true, true]); // the slice is not used up
    nowMs++;
    for (const pauser of pausers) flood(pauser);
    expect(open()).toEqual([false, false, false, false, false, false]);
    endTick();
    expect(open()).toEqual([true, true, true, true, false, false]);
    flood(pausers[0] as LinuxReceivePauser); // others wait: it gets one quantum
    expect(open()).toEqual([false, true, true, true, false, false]);
    pausers[1]?.onDatagram(false); // less than a quantum
    endTick();
    expect(open()).toEqual([true, true, true, true, true, true]);
    for (const socket of sockets) socket.close();
  });
});
