import { describe, expect, test } from "bun:test";
import type { ServerOptions, TunnelEvent } from "../../../src/index.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { SERVER, SERVER_APP, UDP_PORT } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";
import { until } from "../../support/until.ts";
import { Programs, Requester } from "./programs.ts";
import { SessionScene, type WatchedSessions } from "./session-scene.ts";

const TARGET = { address: SERVER_APP, port: UDP_PORT };
const OTHER_PORT = 3456;

/** A source with a session. `answer` sends a datagram to the session's socket from any endpoint. */
async function session(options: Partial<ServerOptions> = {}) {
  const scene = new SessionScene();
  const { server } = await scene.both(options);
  const source = scene.source(1);
  source.send("request");
  await scene.clock.settle();
  const socket = { address: SERVER, port: scene.target.received[0]?.from as number };
  const answer = async (text: string, from: { address: string; port: number }) => {
    scene.wire.inject(from, socket, utf8(text));
    await scene.clock.settle();
  };
  return { scene, server, source, answer };
}

function unexpected({ events }: WatchedSessions): TunnelEvent[] {
  return events.filter(({ type }) => type === "unexpected answer");
}

/** Opens another port of the target. @returns the texts that it receives. */
function listen(scene: SessionScene, port: number): string[] {
  const received: string[] = [];
  const decoder = new TextDecoder();
  const network = new MemoryNetwork(scene.wire, SERVER_APP);
  network.openDatagramPort(
    { bind: { address: SERVER_APP, port } },
    { onDatagram: (payload) => received.push(decoder.decode(payload)), onError() {} },
  );
  return received;
}

describe("an answer from another port of the target", () => {
  const from = { address: SERVER_APP, port: OTHER_PORT };

  test("is dropped, counted by its reason, and reported once", async () => {
    const { scene, server, source, answer } = await session();
    for (const text of ["one", "two", "three"]) await answer(text, from);
    await answer("re more", TARGET);
    expect(source.answers).toEqual(["re request", "re more"]);
    expect(server.tunnel.counters.outbound.dropped["wrong port"]).toBe(3);
    expect(unexpected(server)).toEqual([
      { type: "unexpected answer", reason: "wrong port", target: TARGET, source: from },
    ]);
    expect(server.warnings).toContainEqual(unexpected(server)[0] as TunnelEvent);
    await scene.end();
  });

  test("is relayed with anyPort, and the source's next datagram is sent to that port", async () => {
    const { scene, server, source, answer } = await session({ anyPort: true });
    const received = listen(scene, OTHER_PORT);
    await answer("data 1", from);
    source.send("ack 1");
    await scene.clock.settle();
    await answer("data 2", from);
    source.send("ack 2");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re request", "data 1", "data 2"]);
    expect(received).toEqual(["ack 1", "ack 2"]);
    expect(scene.target.texts).toEqual(["request"]);
    await answer("from the first port again", TARGET);
    source.send("back");
    await scene.clock.settle();
    expect(scene.target.texts).toEqual(["request", "back"]);
    expect(unexpected(server)).toEqual([]);
    await scene.end();
  });

  test("is forgotten when that port refuses: datagrams are sent to the target's own port again", async () => {
    const { scene, server, source, answer } = await session({ anyPort: true });
    await answer("last block", from);
    source.send("refused");
    await scene.clock.settle();
    source.send("next request");
    await scene.clock.settle();
    expect(scene.target.texts).toEqual(["request", "next request"]);
    expect(server.tunnel.counters.refusals).toBe(1);
    await scene.end();
  });

  test("does not switch the target to its next address when only that port refuses", async () => {
    const scene = new SessionScene();
    scene.wire.names.set("app.example", [SERVER_APP, "10.0.7.7"]);
    const { server } = await scene.both({ anyPort: true, target: `app.example/${UDP_PORT}` });
    const source = scene.source(1);
    source.send("request");
    await scene.clock.settle();
    const socket = scene.udp(SERVER, scene.target.received[0]?.from);
    scene.wire.inject(from, socket.local, utf8("last block"));
    await scene.clock.settle();
    socket.faults.refuse = () => "ECONNREFUSED";
    source.send("refused");
    await scene.clock.settle();
    socket.faults.refuse = () => undefined;
    source.send("next request");
    await scene.clock.settle();
    expect(server.events.filter(({ type }) => type === "target switched")).toEqual([]);
    expect(scene.target.texts).toEqual(["request", "next request"]);
    await scene.end();
  });

  test("does not redirect datagrams that wait for room in the socket", async () => {
    const { scene, server, source, answer } = await session({ anyPort: true });
    const received = listen(scene, OTHER_PORT);
    const socket = scene.udp(SERVER, scene.target.received[0]?.from);
    socket.faults.room = 0;
    source.send("waits");
    await scene.clock.settle();
    expect(server.tunnel.stats().inbound.held).toBe(1);
    await answer("early", from);
    socket.drain();
    await scene.clock.settle();
    expect(scene.target.texts).toEqual(["request", "waits"]);
    await answer("later", from);
    source.send("follows");
    await scene.clock.settle();
    expect(received).toEqual(["follows"]);
    await scene.end();
  });
});

test.each([false, true])(
  "an answer from another address is dropped and counted (anyPort %p)",
  async (anyPort) => {
    const { scene, server, source, answer } = await session({ anyPort });
    const other = { address: "10.0.7.7", port: UDP_PORT };
    for (let count = 0; count < 3; count++) await answer("psst", other);
    expect(source.answers).toEqual(["re request"]);
    expect(server.tunnel.counters.outbound.dropped["wrong source"]).toBe(3);
    expect(unexpected(server)).toEqual([
      { type: "unexpected answer", reason: "wrong source", target: TARGET, source: other },
    ]);
    await scene.end();
  },
);

/**
 * A target that answers each request from a new port, as TFTP servers do. A port closes when it receives
 * "end".
 */
async function openTransferServer() {
  const ports: number[] = [];
  const open: Bun.udp.Socket<"buffer">[] = [];
  const transfer = async () => {
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      binaryType: "buffer",
      socket: {
        data(self, payload, port, address) {
          if (payload.toString() === "end") self.close();
          else self.send(`re ${payload}`, port, address);
        },
        error() {}, // the socket of an ended session refuses
      },
    });
    open.push(socket);
    ports.push(socket.port);
    return socket;
  };
  const requests = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data: async (_socket, payload, port, address) =>
        void (await transfer()).send(`data ${payload}`, port, address),
      error() {},
    },
  });
  open.push(requests);
  const close = () => open.filter((socket) => !socket.closed).forEach((socket) => void socket.close());
  return { port: requests.port, ports, [Symbol.dispose]: close };
}

describe("real programs", () => {
  test("successive transfers from other ports work with --any-port", async () => {
    using target = await openTransferServer();
    await using programs = await Programs.start(target.port, { server: ["--any-port"] });
    using requester = new Requester(programs.udpPort);
    expect(await requester.request("file")).toBe("data file");
    expect(await requester.request("ack")).toBe("re ack");
    requester.send("end");
    // The first of these is refused, because the port is closed.
    await until("the next transfer", () => {
      requester.send("next");
      return requester.answers.includes("data next");
    });
  });

  test("without --any-port the answer is reported", async () => {
    using target = await openTransferServer();
    await using programs = await Programs.start(target.port);
    using requester = new Requester(programs.udpPort);
    requester.send("file");
    const line = await programs.server.said(/dropping datagrams/);
    const from = `127.0.0.1:${target.ports[0]}`;
    expect(line).toContain(`from ${from} to a session: only port ${target.port} of its target may answer`);
    expect(requester.answers).toEqual([]);
  });
});
