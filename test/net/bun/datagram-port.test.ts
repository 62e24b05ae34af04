import { describe, expect, test } from "bun:test";
import { BunDatagramPort } from "../../../src/net/bun/datagram-port.ts";
import type { DatagramReceiver, SendObserver } from "../../../src/net/datagram-port.ts";
import { NetError } from "../../../src/net/network.ts";
import type { SystemSockets } from "../../../src/net/system-sockets.ts";
import { burn } from "../../support/burn.ts";
import { freeUdpPort, TUNNEL_HOST } from "../../support/loopback.ts";
import { PLATFORMS } from "../../support/system-sockets.ts";
import { utf8 } from "../../support/text.ts";
import { until } from "../../support/until.ts";

/** Records the events of a port and its senders. */
class Recorder implements DatagramReceiver, SendObserver {
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

describe.each(PLATFORMS)("a datagram port, %s", (_name, system) => {
  test("throws NetError when it cannot join its group", () => {
    const joined = { sources: [], interface: { name: "none", id: "0", address4: "198.51.100.1" } };
    const options = { bind: { address: "239.255.77.77", port: 0 }, join: joined };
    expect(() => new BunDatagramPort(options, new Recorder(), system)).toThrow(NetError);
  });

  test("sends in order, many at once, including empty and the largest datagrams", async () => {
    const [there, here] = [new Recorder(), new Recorder()];
    const receiving = new BunDatagramPort({ bind: any }, there, system);
    const sending = new BunDatagramPort({ bind: any }, here, system);
    const sender = sending.sender(receiving.local, here);
    const payloads = ["a", "", "b", "b", "longer", ""].map(utf8);
    for (const payload of [...payloads, new Uint8Array(65_507)]) sender.add(payload, 0, payload.length);
    sender.add(utf8("inside"), 2, 3);
    sender.flush();
    await until("the last", () => there.received.length === 8);
    expect(there.received).toEqual(["a", "", "b", "b", "longer", "", "65507", "sid"]);
    expect([here.sent, sender.held, here.errors]).toEqual([8, 0, []]);
    for (const port of [receiving, sending]) port.close();
  });

  // Only on Linux: Bun's own calls ignore the zone and send on another interface.
  if (system !== undefined)
    test("drops datagrams to a zone that does not exist", () => {
      const recorder = new Recorder();
      const port = new BunDatagramPort({ bind: { address: "::", port: 0 } }, recorder, system);
      const sender = port.sender({ address: "fe80::1%no-such-zone", port: 9 }, recorder);
      for (const payload of [utf8("a"), utf8("b")]) sender.add(payload, 0, payload.length);
      sender.flush();
      expect(recorder).toMatchObject({ sent: 0, dropped: ["unreachable", "unreachable"] });
      port.close();
    });

  test("drops only the datagram that is too long", async () => {
    const recorder = new Recorder();
    const port = new BunDatagramPort({ bind: any, oneTarget: true }, recorder, system);
    const sender = port.sender(port.local, recorder);
    for (const payload of [utf8("a"), new Uint8Array(65_508), utf8("b")])
      sender.add(payload, 0, payload.length);
    sender.flush();
    await until("the others", () => recorder.received.length === 2);
    expect(recorder).toMatchObject({ received: ["a", "b"], dropped: ["too long"], sent: 2 });
    port.close();
  });

  test("with one target reports refusals, and loses nothing when the target is open again", async () => {
    const recorder = new Recorder();
    const target = { address: TUNNEL_HOST, port: await freeUdpPort() };
    const port = new BunDatagramPort({ bind: any, oneTarget: true }, recorder, system);
    const sender = port.sender(target, recorder);
    const send = (text: string) => {
      sender.add(utf8(text), 0, text.length);
      sender.flush();
    };
    for (let count = 1; count <= 3; count++) {
      send("unanswered");
      await until("the refusal", () => recorder.errors.length >= count);
    }
    send("not read"); // its refusal may be pending in the socket when the next is sent
    const there = new Recorder();
    const back = new BunDatagramPort({ bind: target }, there, system);
    for (const text of ["x", "y", "z"]) send(text);
    await until("all three", () => there.received.includes("z"));
    expect(there.received).toEqual(["x", "y", "z"]);
    expect(new Set(recorder.errors)).toEqual(new Set(["ECONNREFUSED"]));
    expect(recorder.dropped).toEqual([]);
    for (const open of [port, back]) open.close();
  });

  test("with many targets, a closed one costs the others no datagram", async () => {
    const [there, recorder] = [new Recorder(), new Recorder()];
    const live = new BunDatagramPort({ bind: any }, there, system);
    const port = new BunDatagramPort({ bind: any }, recorder, system);
    const toLive = port.sender(live.local, recorder);
    const toDead = port.sender({ address: TUNNEL_HOST, port: await freeUdpPort() }, recorder);
    for (let count = 0; count < 10; count++) {
      for (const sender of [toDead, toLive]) {
        sender.add(utf8("x"), 0, 1);
        sender.flush();
      }
    }
    await until("all ten", () => there.received.length === 10);
    expect(recorder.dropped).toEqual([]);
    for (const open of [live, port]) open.close();
  });

  test("shares its port with another address if `shared`; the error names the address in use", async () => {
    const port = await freeUdpPort();
    const bound = new BunDatagramPort(
      { bind: { address: "0.0.0.0", port }, shared: true },
      new Recorder(),
      system,
    );
    const other = { address: "127.0.0.2", port };
    expect(() => new BunDatagramPort({ bind: other }, new Recorder(), system)).toThrow(
      `cannot bind UDP 127.0.0.2:${port}: EADDRINUSE`,
    );
    new BunDatagramPort({ bind: other, shared: true }, new Recorder(), system).close();
    bound.close();
  });

  test("in a flood that is slow to handle, answers keep their order, and each tick ends", async () => {
    const DATAGRAMS = 5000;
    // Never more in flight than fit the receive buffer.
    const inFlightMax = (system?.report.receiveBufferBytes ?? 0) >= 1 << 20 ? 1000 : 100;
    const [recorder, there] = [new Recorder(), new Recorder()];
    let longestTick = 0;
    let inTick = 0;
    const onDatagram = (payload: Uint8Array) => {
      burn(20);
      sender.add(payload, 0, payload.length);
      sender.flush();
      if (inTick++ === 0) setImmediate(() => (inTick = 0));
      longestTick = Math.max(longestTick, inTick);
    };
    const asking = new BunDatagramPort({ bind: any }, there, system);
    const port = new BunDatagramPort({ bind: any }, { onDatagram, onError: () => {} }, system);
    const sender = port.sender(asking.local, recorder);
    const asker = asking.sender(port.local, there);
    await Bun.sleep(5); // until Bun has called drain for the new sockets
    for (let asked = 0; there.received.length < DATAGRAMS; ) {
      while (asked < DATAGRAMS && asked - there.received.length < inFlightMax) {
        const question = utf8(`${asked++}`);
        asker.add(question, 0, question.length);
      }
      asker.flush();
      await new Promise(setImmediate);
    }
    expect(there.received).toEqual(Array.from({ length: DATAGRAMS }, (_, index) => `${index}`));
    expect(recorder.dropped).toEqual([]);
    if (system !== undefined) expect(longestTick).toBeLessThanOrEqual(192);
    for (const open of [port, asking]) open.close();
  });
});

test("after a flood that arrived before its first tick, the event loop is idle", async () => {
  const system = PLATFORMS.find(([name]) => name === "Linux")?.[1];
  const recorder = new Recorder();
  const source = await Bun.udpSocket({});
  const onDatagram = (payload: Uint8Array) => {
    burn(20);
    recorder.onDatagram(payload);
  };
  const port = new BunDatagramPort({ bind: any }, { onDatagram, onError() {} }, system);
  for (let count = 0; count < 250; count++) source.send(`${count}`, port.local.port, TUNNEL_HOST);
  await until("all of them", () => recorder.received.length === 250);
  const before = process.cpuUsage();
  await Bun.sleep(200); // the measured interval
  const { user, system: kernel } = process.cpuUsage(before);
  expect(user + kernel).toBeLessThan(60_000); // a spinning loop would use all of it
  for (const open of [port, source]) open.close();
});

test("the socket is given back before Bun closes it", () => {
  const done: string[] = [];
  const direct = { fd: -1, onDatagram: () => {}, close: () => void done.push("given back") };
  const system = { directReceive: () => direct, prepareDatagramSocket: () => {} } as unknown as SystemSockets;
  const port = new BunDatagramPort({ bind: any }, new Recorder(), system);
  port.close();
  expect(done).toEqual(["given back"]);
});
