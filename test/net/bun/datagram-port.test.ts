import { describe, expect, test } from "bun:test";
import { BunDatagramPort } from "../../../src/net/bun/datagram-port.ts";
import type { DatagramReceiver, SendObserver } from "../../../src/net/datagram-port.ts";
import { NetError } from "../../../src/net/network.ts";
import type { SystemSockets } from "../../../src/net/system-sockets.ts";
import { burn } from "../../support/burn.ts";
import { freeUdpPort, TUNNEL_HOST } from "../../support/loopback.ts";
import { WAYS } from "../../support/system-sockets.ts";
import { until } from "../../support/until.ts";

/** Keeps what is told to it. */
class Told implements DatagramReceiver, SendObserver {
  readonly received: string[] = [];
  readonly errors: string[] = [];
  readonly dropped: string[] = [];
  sent = 0;

  onDatagram(payload: Uint8Array): void {
    this.received.push(payload.length < 100 ? new TextDecoder().decode(payload) : `${payload.length}`);
  }
  onError(code: string): void {
    this.errors.push(code);
  }
  onSent(datagrams: number): void {
    this.sent += datagrams;
  }
  onSendDropped(reason: string): void {
    this.dropped.push(reason);
  }
  onWritable(): void {}
}

const any = { address: TUNNEL_HOST, port: 0 };
const bytes = (text: string) => new TextEncoder().encode(text);

describe.each(WAYS)("a datagram port, %s", (_name, system) => {
  test("that cannot join its group is a failure of the network", () => {
    const joined = { sources: [], interface: { name: "none", id: "0", address4: "198.51.100.1" } };
    const options = { bind: { address: "239.255.77.77", port: 0 }, join: joined };
    expect(() => new BunDatagramPort(options, new Told(), system)).toThrow(NetError);
  });

  test("sends in order, many at once, the empty and the largest too", async () => {
    const [there, here] = [new Told(), new Told()];
    const receiving = new BunDatagramPort({ bind: any }, there, system);
    const sending = new BunDatagramPort({ bind: any }, here, system);
    const sender = sending.sender(receiving.local, here);
    const payloads = ["a", "", "b", "b", "longer", ""].map(bytes);
    for (const payload of [...payloads, new Uint8Array(65_507)]) sender.add(payload, 0, payload.length);
    sender.add(bytes("inside"), 2, 3);
    sender.flush();
    await until("the last", () => there.received.length === 8);
    expect(there.received).toEqual(["a", "", "b", "b", "longer", "", "65507", "sid"]);
    expect([here.sent, sender.held, here.errors]).toEqual([8, 0, []]);
    for (const port of [receiving, sending]) port.close();
  });

  // Only where Linux serves: Bun's own calls ignore the zone and send by another interface.
  if (system !== undefined)
    test("refuses to send to a zone that does not exist", () => {
      const told = new Told();
      const port = new BunDatagramPort({ bind: { address: "::", port: 0 } }, told, system);
      const sender = port.sender({ address: "fe80::1%no-such-zone", port: 9 }, told);
      for (const payload of [bytes("a"), bytes("b")]) sender.add(payload, 0, payload.length);
      sender.flush();
      expect(told).toMatchObject({ sent: 0, dropped: ["unreachable", "unreachable"] });
      port.close();
    });

  test("drops what is too long, alone", async () => {
    const told = new Told();
    const port = new BunDatagramPort({ bind: any, oneTarget: true }, told, system);
    const sender = port.sender(port.local, told);
    for (const payload of [bytes("a"), new Uint8Array(65_508), bytes("b")])
      sender.add(payload, 0, payload.length);
    sender.flush();
    await until("the others", () => told.received.length === 2);
    expect(told).toMatchObject({ received: ["a", "b"], dropped: ["too long"], sent: 2 });
    port.close();
  });

  test("with one target sees refusals, and loses nothing when it is back", async () => {
    const told = new Told();
    const target = { address: TUNNEL_HOST, port: await freeUdpPort() };
    const port = new BunDatagramPort({ bind: any, oneTarget: true }, told, system);
    const sender = port.sender(target, told);
    const send = (text: string) => {
      sender.add(bytes(text), 0, text.length);
      sender.flush();
    };
    for (let count = 1; count <= 3; count++) {
      send("anybody?");
      await until("the refusal", () => told.errors.length >= count);
    }
    send("not read"); // its refusal may still wait in the socket when the next is sent
    const there = new Told();
    const back = new BunDatagramPort({ bind: target }, there, system);
    for (const text of ["x", "y", "z"]) send(text);
    await until("all three", () => there.received.includes("z"));
    expect(there.received).toEqual(["x", "y", "z"]);
    expect(new Set(told.errors)).toEqual(new Set(["ECONNREFUSED"]));
    expect(told.dropped).toEqual([]);
    for (const open of [port, back]) open.close();
  });

  test("with many targets, one that is dead costs the others nothing", async () => {
    const [there, told] = [new Told(), new Told()];
    const live = new BunDatagramPort({ bind: any }, there, system);
    const port = new BunDatagramPort({ bind: any }, told, system);
    const toLive = port.sender(live.local, told);
    const toDead = port.sender({ address: TUNNEL_HOST, port: await freeUdpPort() }, told);
    for (let count = 0; count < 10; count++) {
      for (const sender of [toDead, toLive]) {
        sender.add(bytes("x"), 0, 1);
        sender.flush();
      }
    }
    await until("all ten", () => there.received.length === 10);
    expect(told.dropped).toEqual([]);
    for (const open of [live, port]) open.close();
  });

  test("shares its port with another address only when asked to, and names the address that is taken", async () => {
    const port = await freeUdpPort();
    const bound = new BunDatagramPort(
      { bind: { address: "0.0.0.0", port }, shared: true },
      new Told(),
      system,
    );
    const other = { address: "127.0.0.2", port };
    expect(() => new BunDatagramPort({ bind: other }, new Told(), system)).toThrow(
      `cannot bind UDP 127.0.0.2:${port}: EADDRINUSE`,
    );
    new BunDatagramPort({ bind: other, shared: true }, new Told(), system).close();
    bound.close();
  });

  test("under a flood that is dear to handle, answers go in order, and a turn has an end", async () => {
    const DATAGRAMS = 5000;
    // Never more under way than the kernel holds for us.
    const underWay = (system?.report.receiveBufferBytes ?? 0) >= 1 << 20 ? 1000 : 100;
    const [told, there] = [new Told(), new Told()];
    let longestTurn = 0;
    let inTurn = 0;
    const onDatagram = (payload: Uint8Array) => {
      burn(20);
      sender.add(payload, 0, payload.length);
      sender.flush();
      if (inTurn++ === 0) setImmediate(() => (inTurn = 0));
      longestTurn = Math.max(longestTurn, inTurn);
    };
    const asking = new BunDatagramPort({ bind: any }, there, system);
    const port = new BunDatagramPort({ bind: any }, { onDatagram, onError: () => {} }, system);
    const sender = port.sender(asking.local, told);
    const asker = asking.sender(port.local, there);
    await Bun.sleep(5); // what Bun does with a new socket is over
    for (let asked = 0; there.received.length < DATAGRAMS; ) {
      while (asked < DATAGRAMS && asked - there.received.length < underWay) {
        const question = bytes(`${asked++}`);
        asker.add(question, 0, question.length);
      }
      asker.flush();
      await new Promise(setImmediate);
    }
    expect(there.received).toEqual(Array.from({ length: DATAGRAMS }, (_, index) => `${index}`));
    expect(told.dropped).toEqual([]);
    if (system !== undefined) expect(longestTurn).toBeLessThanOrEqual(192);
    for (const open of [port, asking]) open.close();
  });
});

test("a flood that was there before its first turn leaves the event loop at rest afterwards", async () => {
  const system = WAYS.find(([name]) => name === "Linux")?.[1];
  const told = new Told();
  const source = await Bun.udpSocket({});
  const onDatagram = (payload: Uint8Array) => {
    burn(20);
    told.onDatagram(payload);
  };
  const port = new BunDatagramPort({ bind: any }, { onDatagram, onError() {} }, system);
  for (let count = 0; count < 250; count++) source.send(`${count}`, port.local.port, TUNNEL_HOST);
  await until("all of them", () => told.received.length === 250);
  const before = process.cpuUsage();
  await Bun.sleep(200); // an interval that is measured
  const { user, system: kernel } = process.cpuUsage(before);
  expect(user + kernel).toBeLessThan(60_000); // spinning would take all of it
  for (const open of [port, source]) open.close();
});

test("reading is resumed before Bun sends on the socket or closes it", () => {
  const done: string[] = [];
  const pauser = { fd: -1, onDatagram: () => {}, resume: () => void done.push("resume") };
  const system = {
    receivePauser: () => pauser,
    prepareDatagramSocket: () => {},
    transmitter: () => undefined,
  } as unknown as SystemSockets;
  const told = new Told();
  const port = new BunDatagramPort({ bind: any }, told, system);
  const sender = port.sender(port.local, {
    ...told,
    onSent: () => void done.push("sent"),
    onWritable() {},
    onSendDropped() {},
  });
  sender.add(bytes("x"), 0, 1);
  sender.flush();
  port.close();
  expect(done).toEqual(["resume", "sent", "resume"]);
});
