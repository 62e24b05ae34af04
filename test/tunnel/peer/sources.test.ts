import { describe, expect, test } from "bun:test";
import {
  App,
  CLIENT,
  CLIENT_APP,
  Scene,
  SERVER,
  SERVER_APP,
  UDP_PORT,
} from "../../support/memory-tunnels.ts";
import { frames, utf8 } from "../../support/text.ts";

const OTHER_HOST = "10.0.7.7";

/** Sends a datagram to the client's UDP port from any address and port. */
function sendFrom(scene: Scene, address: string, text: string, port = 777): void {
  scene.wire.inject({ address, port }, { address: CLIENT, port: UDP_PORT }, utf8(text));
}

describe("datagrams are accepted", () => {
  test("from the target's address only, at any port; others are counted, and reported once", async () => {
    const scene = new Scene();
    const { client, serverApp } = await scene.pair();
    for (const text of ["one", "two"]) sendFrom(scene, OTHER_HOST, text);
    sendFrom(scene, CLIENT_APP, "welcome", 12_345);
    sendFrom(scene, `::ffff:${CLIENT_APP}`, "mapped");
    sendFrom(scene, `::ffff:${OTHER_HOST}`, "three");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["welcome", "mapped"]);
    expect(client.tunnel.counters.outbound.dropped["wrong source"]).toBe(3);
    const reported = client.events.filter(({ type }) => type === "wrong source");
    expect(reported).toEqual([
      { type: "wrong source", source: { address: OTHER_HOST, port: 777 }, expected: [CLIENT_APP] },
    ]);
    expect(client.warnings).toEqual(reported);
    await scene.end();
  });

  test("from any address of the target's name", async () => {
    const scene = new Scene();
    scene.wire.names.set("app.example", [CLIENT_APP, "10.0.1.22"]);
    const { serverApp } = await scene.pair({}, { target: `app.example/${UDP_PORT}` });
    sendFrom(scene, "10.0.1.22", "second address");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["second address"]);
    await scene.end();
  });

  test("from the name's addresses at the last connect, or the last known ones if a look-up fails", async () => {
    const scene = new Scene();
    scene.wire.names.set("app.example", [CLIENT_APP]);
    const { client, serverApp } = await scene.pair({}, { target: `app.example/${UDP_PORT}` });
    const reconnect = async () => {
      serverApp.send(SERVER, "useful");
      await scene.clock.settle();
      for (const end of scene.stream) end.fail("ECONNRESET");
      await scene.clock.advance(5000);
    };
    scene.wire.names.set("app.example", ["10.0.1.33"]);
    await reconnect();
    sendFrom(scene, "10.0.1.33", "new address");
    sendFrom(scene, CLIENT_APP, "old address");
    scene.wire.names.clear();
    await reconnect();
    sendFrom(scene, "10.0.1.33", "still");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["new address", "still"]);
    expect(client.warnings.map(({ type }) => type)).toEqual(["wrong source", "name lookup failed"]);
    await scene.end();
  });

  test("from the addresses of --from too", async () => {
    const scene = new Scene();
    const { client, serverApp } = await scene.pair({}, { from: ["10.0.7.0/24", "2001:DB8::1"] });
    sendFrom(scene, OTHER_HOST, "by prefix");
    sendFrom(scene, "2001:db8::1", "by address");
    sendFrom(scene, CLIENT_APP, "the target");
    sendFrom(scene, "10.0.8.1", "not allowed");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["by prefix", "by address", "the target"]);
    expect(client.tunnel.counters.outbound.dropped["wrong source"]).toBe(1);
    await scene.end();
  });

  test("from every address with --any-source", async () => {
    const scene = new Scene();
    const { serverApp } = await scene.pair({}, { anySource: true });
    sendFrom(scene, OTHER_HOST, "hello");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["hello"]);
    await scene.end();
  });

  test.each([CLIENT, `::ffff:${CLIENT}`])(
    "except from the tunnel itself, seen as %p: all are counted, with one warning",
    async (own) => {
      const scene = new Scene();
      const { client, serverApp } = await scene.pair({}, { anySource: true });
      for (const text of ["echo", "echo"]) sendFrom(scene, own, text, UDP_PORT);
      sendFrom(scene, CLIENT, "a program of this host", 999);
      await scene.clock.settle();
      expect(serverApp.texts).toEqual(["a program of this host"]);
      expect(client.tunnel.counters.outbound.dropped.loop).toBe(2);
      expect(client.events.filter(({ type }) => type === "loop detected")).toHaveLength(1);
      expect(client.warnings.map(({ type }) => type)).toEqual(["loop detected"]);
      await scene.end();
    },
  );

  test.each([{ interface: "mem0" }, { bind: "fe80::1%mem0", interface: "mem0" }])(
    "except from the tunnel itself, with a link-local target (%p)",
    async (options) => {
      const scene = new Scene();
      scene.wire.unroutable.add("fe80::5"); // without the zone
      const target = `[fe80::5]/${UDP_PORT}`;
      const { client } = await scene.pair({}, { anySource: true, target, ...options });
      sendFrom(scene, "bind" in options ? options.bind : CLIENT, "echo", UDP_PORT);
      await scene.clock.settle();
      expect(client.tunnel.counters.outbound.dropped.loop).toBe(1);
      await scene.end();
    },
  );
});

describe("a target that refuses datagrams", () => {
  async function refused(datagrams: number, answers: boolean) {
    const scene = new Scene();
    const { tunnel, events, warnings } = await scene.server({ allow: CLIENT });
    const { stream } = await scene.connect(CLIENT);
    if (answers)
      scene.wire.inject({ address: SERVER_APP, port: 1 }, { address: SERVER, port: UDP_PORT }, utf8("x"));
    for (let count = 0; count < datagrams; count++) stream.write(frames("refused"));
    await scene.clock.settle();
    return { scene, tunnel, events, warnings };
  }

  test("is reported once if it has never answered", async () => {
    const { scene, tunnel, events, warnings } = await refused(50, false);
    expect(tunnel.counters.refusals).toBe(50);
    expect(tunnel.counters.inbound.sent).toBe(50);
    expect(warnings).toEqual([
      { type: "target refused", target: { address: SERVER_APP, port: UDP_PORT }, refusals: 10 },
    ]);
    expect(events.filter(({ type }) => type === "target refused")).toHaveLength(1);
    await scene.end();
  });

  test("is reported by its own refusals: RTP mode has two targets", async () => {
    const scene = new Scene();
    const { tunnel, warnings } = await scene.server({ rtp: true, allow: CLIENT });
    const refuse = (port: number, times: number) => {
      for (let count = 0; count < times; count++) scene.udp(SERVER, port).receiver.onError("ECONNREFUSED");
    };
    scene.wire.inject({ address: SERVER_APP, port: 1 }, { address: SERVER, port: UDP_PORT }, utf8("x"));
    refuse(UDP_PORT, 6);
    refuse(UDP_PORT + 1, 9);
    expect(warnings).toEqual([]);
    refuse(UDP_PORT + 1, 1);
    const target = { address: SERVER_APP, port: UDP_PORT + 1 };
    expect(warnings).toEqual([{ type: "target refused", target, refusals: 10 }]);
    expect(tunnel.counters.refusals).toBe(16);
    await scene.end();
  });

  test("is not reported when it refuses a few, or has answered", async () => {
    for (const { scene, warnings } of [await refused(9, false), await refused(50, true)]) {
      expect(warnings).toEqual([]);
      await scene.end();
    }
  });

  test("gets the next datagram after it has started", async () => {
    const { scene } = await refused(3, false);
    const app = new App(scene.wire, SERVER_APP);
    scene.stream[0].write(frames("welcome back"));
    await scene.clock.settle();
    expect(app.texts).toEqual(["welcome back"]);
    await scene.end();
  });

  test("costs no datagram when the kernel returns an earlier refusal from a send call", async () => {
    const scene = new Scene();
    const { server, serverApp, clientApp } = await scene.pair();
    let pending = 2;
    scene.udp(SERVER).faults.refuse = () => (pending-- > 0 ? "ECONNREFUSED" : undefined);
    for (const text of ["a", "b"]) clientApp.send(CLIENT, text);
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["a", "b"]);
    expect(server.tunnel.counters.refusals).toBe(2);
    await scene.end();
  });

  test("does not stop the tunnel: other errors of the socket are counted", async () => {
    const scene = new Scene();
    const { server, serverApp, clientApp } = await scene.pair();
    scene.udp(SERVER).receiver.onError("EHOSTUNREACH");
    clientApp.send(CLIENT, "on");
    await scene.clock.settle();
    expect(server.tunnel.counters).toMatchObject({ socketErrors: 1, refusals: 0 });
    expect(serverApp.texts).toEqual(["on"]);
    await scene.end();
  });
});

describe("one-way tunnels", () => {
  test("-R reads TCP, drops the datagrams and counts them", async () => {
    const scene = new Scene();
    const { server, serverApp, clientApp } = await scene.pair({ udpReceiveOnly: true });
    for (const text of ["a", "b"]) clientApp.send(CLIENT, text);
    serverApp.send(SERVER, "c");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual([]);
    expect(clientApp.texts).toEqual(["c"]);
    expect(server.tunnel.counters.inbound).toMatchObject({ received: 2, sent: 0 });
    expect(server.tunnel.counters.inbound.dropped["receive only"]).toBe(2);
    await scene.end();
  });

  test("-R detects that the peer closes", async () => {
    const scene = new Scene();
    const { server, client } = await scene.pair({ udpReceiveOnly: true }, { once: true });
    void client.tunnel.close();
    await scene.clock.advance(50);
    expect(server.events.at(-1)).toMatchObject({ type: "disconnected", reason: "closed by peer" });
    await scene.end();
  });

  test("-S does not bind the UDP port, and counts datagrams that reach its socket", async () => {
    const scene = new Scene();
    const { server, serverApp, clientApp } = await scene.pair({ udpSendOnly: true });
    const port = server.tunnel.udp[0]?.port ?? 0;
    expect(port).not.toBe(UDP_PORT);
    clientApp.send(CLIENT, "through");
    scene.wire.inject({ address: SERVER_APP, port: UDP_PORT }, { address: SERVER, port }, utf8("answer"));
    await scene.clock.settle();
    expect([serverApp.texts, clientApp.texts]).toEqual([["through"], []]);
    expect(server.tunnel.counters.outbound.dropped["send only"]).toBe(1);
    await scene.end();
  });
});
