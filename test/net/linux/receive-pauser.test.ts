import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { systemClock } from "../../../src/net/clock.ts";
import { DropFilter, LinuxReceivePauser } from "../../../src/net/linux/receive-pauser.ts";
import { kernelDrops } from "../../../src/net/linux/socket-options.ts";
import { TimeSlice } from "../../../src/net/time-slice.ts";
import { burn } from "../../support/burn.ts";
import { until } from "../../support/until.ts";
import { fdOf } from "./adopt.ts";
import { libc, noLibc } from "./open-libc.ts";

const filter = new DropFilter(libc);
const openFiles = () => readdirSync("/proc/self/fd").length;

function gateOf(socket: object, slice = TimeSlice.of(systemClock), through = libc): LinuxReceivePauser {
  return new LinuxReceivePauser(through, fdOf(socket), slice, filter);
}

/** A socket whose first `drain` is over: Bun waits for no room to send. */
async function settled(hostname: string, data: () => void): Promise<Bun.udp.Socket<"buffer">> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({ hostname, socket: { data, drain: () => resolve() } });
  await promise;
  return socket;
}

describe.skipIf(noLibc)("a receive gate", () => {
  test.each(["127.0.0.1", "::1"])(
    "%s: closed in a callback it ends Bun's receive loop; opened, all that came meanwhile is there",
    async (hostname) => {
      let gate: LinuxReceivePauser | undefined;
      let received = 0;
      const filesBefore = openFiles();
      const socket = await settled(hostname, () => onDatagram());
      const onDatagram = () => {
        received++;
        if (received === 1) gate?.pause(false);
      };
      gate = gateOf(socket);
      for (let count = 0; count < 100; count++) socket.send(`${count}`, socket.port, hostname);
      await until("the first datagrams", () => received > 0);
      const inOneTurn = received;
      expect(inOneTurn).toBeLessThanOrEqual(8); // Bun takes eight at once
      await new Promise(setImmediate);
      expect(received).toBe(inOneTurn);
      expect(gate.fd).not.toBe(fdOf(socket));
      expect(kernelDrops(libc, gate.fd)).toBe(0);

      gate.resume();
      await until("the others", () => received === 100);
      expect(gate.fd).toBe(fdOf(socket));
      socket.close();
      expect(openFiles()).toBeLessThanOrEqual(filesBefore); // an earlier test's may close meanwhile
    },
  );

  test.each(["socket", "fcntl"] as const)(
    "with no descriptor to spare (%s) it drops and counts what arrives, until it is open again",
    async (lacking) => {
      let received = 0;
      const socket = await settled("127.0.0.1", () => void received++);
      const filesBefore = openFiles();
      const gate = gateOf(socket, undefined, { ...libc, [lacking]: () => -1, errno: () => "EMFILE" });
      gate.pause(false);
      for (let count = 0; count < 5; count++) socket.send("dropped", socket.port, "127.0.0.1");
      await until("the drops", () => kernelDrops(libc, fdOf(socket)) === 5);
      gate.resume();
      socket.send("arrives", socket.port, "127.0.0.1");
      await until("the next", () => received > 0);
      expect(received).toBe(1);
      expect(openFiles()).toBeLessThanOrEqual(filesBefore); // an earlier test's may close meanwhile
      socket.close();
    },
  );

  test("a flood of datagrams that are dear to handle does not keep the event loop, and loses nothing", async () => {
    const DATAGRAMS = 5000;
    let longestTurn = 0;
    let sent = 0;
    let received = 0;
    let inTurn = 0;
    const source = await Bun.udpSocket({});
    const next = () => {
      if (sent++ < DATAGRAMS) source.send("next", socket.port, "127.0.0.1");
    };
    const socket = await settled("127.0.0.1", () => {
      gate.onDatagram(false);
      received++;
      burn(10);
      next(); // so that Bun's loop would go on to the end
      if (inTurn++ === 0) setImmediate(() => (inTurn = 0));
      longestTurn = Math.max(longestTurn, inTurn);
    });
    const gate = gateOf(socket);
    for (let count = 0; count < 64; count++) next();
    await until("the last", () => received === DATAGRAMS);
    // At 10 us and more each in a millisecond, looked at every 32, and what Bun took with the last.
    expect(longestTurn).toBeLessThanOrEqual(136);
    for (const open of [socket, source]) open.close();
  });

  test("while Bun waits for room to send, what arrives behind the closed gate is dropped and counted", async () => {
    let received = 0;
    const socket = await settled("127.0.0.1", () => received++);
    const gate = gateOf(socket);
    gate.pause(true);
    expect(gate.fd).toBe(fdOf(socket));
    socket.send("against the gate", socket.port, "127.0.0.1");
    expect(kernelDrops(libc, gate.fd)).toBe(1);
    gate.resume();
    socket.send("after it", socket.port, "127.0.0.1");
    await until("the second", () => received === 1);
    socket.close();
  });

  test("what several sockets receive counts in one slice, and those that had their share wait their turn", async () => {
    const gates: LinuxReceivePauser[] = [];
    const endings: (() => void)[] = [];
    let nowMs = 0;
    const clock = {
      ...systemClock,
      now: () => nowMs,
      endOfTick: (run: () => void) => void endings.push(run),
    };
    const endTick = () => endings.splice(0).forEach((end) => void end());
    const sockets = await Promise.all(Array.from({ length: 6 }, () => Bun.udpSocket({})));
    for (const socket of sockets) gates.push(gateOf(socket, TimeSlice.of(clock)));
    const open = () => gates.map(({ fd }, index) => fd === fdOf(sockets[index] as object));
    const flood = (gate: LinuxReceivePauser) => {
      for (let count = 0; count < 32; count++) gate.onDatagram(false);
    };
    flood(gates[0] as LinuxReceivePauser);
    expect(open()).toEqual([true, true, true, true, true, true]); // there is time left
    nowMs++;
    for (const gate of gates) flood(gate);
    expect(open()).toEqual([false, false, false, false, false, false]);
    endTick();
    expect(open()).toEqual([true, true, true, true, false, false]);
    flood(gates[0] as LinuxReceivePauser); // others wait: its quantum is all it gets
    expect(open()).toEqual([false, true, true, true, false, false]);
    gates[1]?.onDatagram(false); // less than a quantum
    endTick();
    expect(open()).toEqual([true, true, true, true, true, true]);
    for (const socket of sockets) socket.close();
  });
});
