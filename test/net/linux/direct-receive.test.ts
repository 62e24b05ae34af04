/** UDP sockets that report the local address of each datagram, and answer from it. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BunDatagramPort } from "../../../src/net/bun/datagram-port.ts";
import type { DatagramReceiver, LocalAddress, SendObserver } from "../../../src/net/datagram-port.ts";
import type { SystemSockets } from "../../../src/net/system-sockets.ts";
import { burn } from "../../support/burn.ts";
import { openFiles } from "../../support/process-figures.ts";
import { PLATFORMS } from "../../support/system-sockets.ts";
import { utf8 } from "../../support/text.ts";
import { until } from "../../support/until.ts";

const [, linux] = PLATFORMS.find(([name]) => name === "Linux") ?? [];

interface Received {
  readonly text: string;
  readonly port: number;
  readonly address: string;
  readonly local: LocalAddress | undefined;
}

/** Records received datagrams, errors and send results. */
class Recorder implements DatagramReceiver, SendObserver {
  readonly received: Received[] = [];
  readonly errors: string[] = [];
  readonly dropped: string[] = [];
  sent = 0;
  ready = 0;
  throwAt = -1;
  onEach: () => void = () => {};

  onDatagram(payload: Uint8Array, port: number, address: string, local?: LocalAddress): void {
    this.onEach();
    this.received.push({ text: new TextDecoder().decode(payload), port, address, local });
    if (this.received.length === this.throwAt) throw new Error("thrown by a receiver");
  }
  onError(code: string): void {
    this.errors.push(code);
  }
  onSent(datagrams: number): void {
    this.sent += datagrams;
  }
  onSendDropped(reason: string, datagrams: number): void {
    for (let count = 0; count < datagrams; count++) this.dropped.push(reason);
  }
  onWritable(): void {
    this.ready++;
  }
}

function openAny(
  address: string,
  recorder = new Recorder(),
  system: SystemSockets | "none" = linux as SystemSockets,
) {
  const bind = { address, port: 0 };
  const given = system === "none" ? undefined : system;
  return { recorder, port: new BunDatagramPort({ bind, reportLocal: true }, recorder, given) };
}

/** A port that reads in place of Bun, which starts in the first tick. */
async function openReading(address: string) {
  const opened = openAny(address);
  await opened.port.ready;
  return opened;
}

/** A program with a connected socket: the kernel gives it only datagrams from that address. */
class Connected {
  readonly answers: string[] = [];
  readonly socket: Bun.udp.ConnectedSocket<"buffer">;

  constructor(hostname: string, port: number) {
    const local = hostname.includes(":") ? "::1" : "127.0.0.1";
    const data = (_socket: unknown, payload: Buffer) => void this.answers.push(payload.toString());
    const options = { hostname: local, connect: { hostname, port }, socket: { data, error() {} } };
    this.socket = Bun.peek(Bun.udpSocket(options)) as Bun.udp.ConnectedSocket<"buffer">;
  }
}

describe.skipIf(linux === undefined)("a port bound to all addresses that reports local ones", () => {
  test.each([
    ["0.0.0.0", "127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["0.0.0.0", "127.0.0.2", "127.0.0.1", "127.0.0.2"],
    ["::", "127.0.0.3", "::ffff:127.0.0.1", "127.0.0.3"],
    ["::", "::1", "::1", "::1"],
  ])("%s, asked at %s, reports that address, and answers from it", async (any, asked, source, local) => {
    const filesBefore = openFiles();
    const { recorder, port } = await openReading(any);
    expect(port.reportsLocal).toBe(true);
    const asker = new Connected(asked, port.local.port);
    asker.socket.send("question");
    await until("the question", () => recorder.received.length === 1);
    expect(recorder.received[0]).toMatchObject({
      text: "question",
      address: source,
      local: { address: local },
    });
    const sender = port.sender({ address: source, port: asker.socket.port }, recorder);
    sender.from = recorder.received[0]?.local;
    for (const text of ["one", "two", "the third", "", "4"]) sender.add(utf8(text), 0, text.length);
    sender.flush();
    await until("five answers", () => asker.answers.length === 5);
    expect(asker.answers).toEqual(["one", "two", "the third", "", "4"]);
    expect(recorder).toMatchObject({ sent: 5, dropped: [], errors: [] });
    asker.socket.close();
    port.close();
    expect(openFiles()).toBeLessThanOrEqual(filesBefore); // an earlier test may still close one
  });

  test("datagrams that arrive before the first tick are delivered first, without a local address", async () => {
    const { recorder, port } = openAny("0.0.0.0");
    const asker = new Connected("127.0.0.2", port.local.port);
    for (let count = 0; count < 100; count++) asker.socket.send(`${count}`);
    await until("some", () => recorder.received.length > 0);
    for (let count = 100; count < 200; count++) asker.socket.send(`${count}`);
    await until("all", () => recorder.received.length === 200);
    expect(recorder.received.map(({ text }) => text)).toEqual(
      Array.from({ length: 200 }, (_, count) => `${count}`),
    );
    expect([recorder.received[0]?.local, recorder.received[199]?.local?.address]).toEqual([
      undefined,
      "127.0.0.2",
    ]);
    expect(port.kernelDrops()).toBe(0);
    asker.socket.close();
    port.close();
  });

  test("counts datagrams that the kernel drops, and delivers the largest datagram", async () => {
    const { recorder, port } = openAny("0.0.0.0");
    const asker = new Connected("127.0.0.2", port.local.port);
    asker.socket.send(new Uint8Array(65_507));
    await until("it", () => recorder.received.length === 1);
    expect(recorder.received[0]?.text.length).toBe(65_507);
    expect(port.kernelDrops()).toBe(0);
    asker.socket.close();
    port.close();
    expect(port.kernelDrops()).toBeUndefined();
  });

  test("delivers the rest of a batch when the receiver throws, and rethrows the exception", async () => {
    const program = `
      import { BunDatagramPort } from "${new URL("../../../src/net/bun/datagram-port.ts", import.meta.url).pathname}";
      import { PLATFORMS } from "${new URL("../../support/system-sockets.ts", import.meta.url).pathname}";
      let count = 0;
      process.on("uncaughtException", (error) => console.log(error.message));
      const receiver = {
        onDatagram() {
          if (++count === 2) throw new Error("thrown by a receiver");
          if (count === 5) setImmediate(() => process.exit(0));
        },
        onError: console.log,
      };
      const port = new BunDatagramPort({ bind: { address: "0.0.0.0", port: 0 }, reportLocal: true }, receiver, PLATFORMS[1][1]);
      const source = await Bun.udpSocket({});
      for (let sent = 0; sent < 5; sent++) source.send("x", port.local.port, "127.0.0.2");
    `;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toBe("thrown by a receiver\n");
    expect(await child.exited).toBe(0);
  });

  test("a socket bound to one address, and another system than Linux, report no local address", () => {
    for (const { port } of [openAny("127.0.0.1"), openAny("0.0.0.0", new Recorder(), "none")]) {
      expect(port.reportsLocal).toBe(false);
      port.close();
    }
  });

  test("a local address that this host no longer has is dropped, and the datagram is still sent", async () => {
    const { recorder, port } = openAny("0.0.0.0");
    const asker = new Connected("127.0.0.1", port.local.port);
    const sender = port.sender({ address: "127.0.0.1", port: asker.socket.port }, recorder);
    // 192.0.2.1 (RFC 5737) as spec_dst of struct in_pktinfo
    const control = new Uint32Array([28, 0, 0, 8, 0, 0x010200c0, 0, 0]);
    sender.from = { address: "192.0.2.1", control } as LocalAddress;
    for (let count = 0; count < 3; count++) sender.add(utf8("x"), 0, 1);
    sender.flush();
    await until("three answers", () => asker.answers.length === 3);
    expect(sender.from).toBeUndefined();
    expect(recorder).toMatchObject({ sent: 3, dropped: [] });
    asker.socket.close();
    port.close();
  });

  test("a send after a full buffer is retried without Bun, in order, one sender after the other", async () => {
    let room = 0;
    const sent: string[] = [];
    const full = { ...pass(), transmitter: () => limited() } as unknown as SystemSockets;
    const limited = () => ({
      refusal: "EAGAIN",
      systemCalls: 0,
      from: undefined,
      transmit: () => 0,
      sendOne: (payload: Uint8Array) =>
        room > 0 && room-- > 0 && sent.push(new TextDecoder().decode(payload)) > 0,
    });
    const recorder = new Recorder();
    const { port } = openAny("0.0.0.0", recorder, full);
    const senders = ["a", "b"].map((name) => {
      const report = { ...recorder, onSent() {}, onSendDropped() {}, onWritable: () => sender.flush() };
      const sender = port.sender({ address: "127.0.0.1", port: 9 }, report);
      for (const number of [1, 2]) sender.add(utf8(`${name}${number}`), 0, 2);
      sender.flush();
      return sender;
    });
    expect(senders.map(({ blocked, held }) => [blocked, held])).toEqual([
      [true, 2],
      [true, 2],
    ]);
    for (let count = 1; count <= 4; count++) {
      room = 1;
      await until(`datagram ${count}`, () => sent.length === count);
    }
    expect(sent.toSorted()).toEqual(["a1", "a2", "b1", "b2"]);
    expect(sent.indexOf("a1")).toBeLessThan(sent.indexOf("a2"));
    expect(sent.indexOf("b1")).toBeLessThan(sent.indexOf("b2"));
    expect(senders.map(({ held }) => held)).toEqual([0, 0]);
    port.close();
  });

  test("a flood of datagrams that take long to handle shares the time: other events run meanwhile", async () => {
    const { recorder, port } = await openReading("0.0.0.0");
    const asker = new Connected("127.0.0.2", port.local.port);
    recorder.onEach = () => burn(10);
    for (let count = 0; count < 1000; count++) asker.socket.send(`${count}`);
    let mostInTick = 0;
    while (recorder.received.length < 1000) {
      const before = recorder.received.length;
      await new Promise(setImmediate);
      mostInTick = Math.max(mostInTick, recorder.received.length - before);
    }
    // At least 10 us each in one millisecond, checked every 32 datagrams.
    expect(mostInTick).toBeLessThanOrEqual(128);
    expect(mostInTick).toBeGreaterThan(1);
    expect(port.kernelDrops()).toBe(0);
    asker.socket.close();
    port.close();
  });

  test("random loads arrive complete, in order and once, each datagram with its own local address", async () => {
    const { recorder, port } = await openReading("::");
    const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.7", "::1"];
    const askers = hosts.map((host) => new Connected(host, port.local.port));
    const load = fc.array(
      fc.record({ asker: fc.nat(hosts.length - 1), datagrams: fc.integer({ min: 1, max: 150 }) }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(load, async (bursts) => {
        recorder.received.length = 0;
        const sent = hosts.map(() => [] as string[]);
        let total = 0;
        for (const { asker, datagrams } of bursts) {
          for (let count = 0; count < datagrams; count++) {
            const text = `${asker}:${total++}`;
            askers[asker]?.socket.send(text);
            sent[asker]?.push(text);
          }
          if (total % 3 === 0) await new Promise(setImmediate);
        }
        await until("all", () => recorder.received.length >= total);
        await new Promise(setImmediate);
        for (const [index, host] of hosts.entries()) {
          const mine = recorder.received.filter(({ port: from }) => from === askers[index]?.socket.port);
          expect(mine.map(({ text }) => text)).toEqual(sent[index] as string[]);
          expect(new Set(mine.map(({ local }) => local?.address)).size).toBeLessThanOrEqual(1);
          if (mine.length > 0) expect(mine[0]?.local?.address).toBe(host);
        }
        expect(recorder.received).toHaveLength(total);
      }),
      { numRuns: 30 },
    );
    expect(port.kernelDrops()).toBe(0);
    for (const { socket } of askers) socket.close();
    port.close();
  });
});

/** The features of the system, except those that a test replaces. */
function pass() {
  const system = linux as NonNullable<typeof linux>;
  return {
    prepareDatagramSocket: system.prepareDatagramSocket.bind(system),
    directReceive: system.directReceive.bind(system),
  };
}
