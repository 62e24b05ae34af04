/** Peer mode with a target that has several addresses, or whose addresses change. */

import { describe, expect, test } from "bun:test";
import { LOOKUP_INTERVAL_MS, LOOKUP_PAUSE_MS } from "../../../src/tunnel/target/name-lookup.ts";
import type { MemoryDatagramPort } from "../../support/memory/datagram-port.ts";
import { App, CLIENT_APP, Scene, SERVER, SERVER_APP, UDP_PORT } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";

const NAME = "app.example";
const target = `${NAME}/${UDP_PORT}`;
const AT_6 = "2001:db8::5";
const AT_4 = "10.0.1.77";

/** A pair whose server's target has these addresses. Only SERVER_APP has a program. */
async function pairWith(addresses: readonly string[], options = {}) {
  const scene = new Scene();
  scene.wire.names.set(NAME, [...addresses]);
  return { scene, ...(await scene.pair({ target, ...options })) };
}

/** Sends to the server's UDP port, as a program at this address. */
function answer(scene: Scene, address: string, text: string): void {
  scene.wire.inject({ address, port: UDP_PORT }, { address: SERVER, port: UDP_PORT }, utf8(text));
}

describe("a target with several addresses", () => {
  test.each([[[AT_6, SERVER_APP]], [[AT_4, SERVER_APP]], [[AT_6, AT_4, "10.0.1.78", SERVER_APP]]])(
    "is tried in order, and a refusal costs no datagram (%p)",
    async (addresses) => {
      const { scene, server, serverApp, clientApp } = await pairWith(addresses);
      for (let n = 0; n < 12; n++) {
        clientApp.send("10.0.0.2", `${n}`);
        await scene.clock.advance(1000);
      }
      expect(serverApp.texts).toEqual(Array.from({ length: 12 }, (_, n) => `${n}`));
      expect(server.tunnel.counters.inbound.sent).toBe(12);
      expect(server.tunnel.counters.refusals).toBe(addresses.length - 1);
      const switched = server.events.filter(({ type }) => type === "target switched");
      expect(switched.at(-1)).toMatchObject({ to: { address: SERVER_APP } });
      await scene.end();
    },
  );

  test("changes when one does not answer; is kept when none does, or when it has answered", async () => {
    const { scene, server, clientApp } = await pairWith([AT_6, AT_4]);
    for (const address of [AT_6, AT_4]) scene.wire.blackHoles.add(address);
    const sendFor = async (seconds: number) => {
      for (let n = 0; n < seconds; n++) {
        clientApp.send("10.0.0.2", "one way");
        await scene.clock.advance(1000);
      }
    };
    await sendFor(60);
    const reasons = server.events.filter(({ type }) => type === "target switched");
    expect(reasons.map((event) => "reason" in event && event.reason)).toEqual(["no answer", "no answer"]);
    answer(scene, AT_6, "here");
    await sendFor(60);
    expect(server.events.filter(({ type }) => type === "target switched")).toHaveLength(2);
    expect(clientApp.texts).toEqual(["here"]);
    await scene.end();
  });

  test("does not get datagrams again that were sent to an address after its first answer", async () => {
    const { scene, server, serverApp, clientApp } = await pairWith([AT_4, SERVER_APP]);
    const close = (address: string) => scene.wire.datagramPorts.get(`${address}:${UDP_PORT}`)?.close();
    const send = async (text: string, ms = 100) => {
      clientApp.send("10.0.0.2", text);
      await scene.clock.advance(ms);
    };
    const first = new App(scene.wire, AT_4);
    answer(scene, AT_4, "hello");
    await send("to the first");
    close(AT_4);
    await send("refused by the first", 1000);
    await send("to the second");
    answer(scene, SERVER_APP, "hello");
    await send("to the second, too");
    close(SERVER_APP);
    const again = new App(scene.wire, AT_4);
    await send("refused by the second");
    expect(server.events.filter(({ type }) => type === "target switched")).toHaveLength(2);
    expect([first, serverApp, again].map(({ texts }) => texts)).toEqual([
      ["to the first"],
      ["to the second", "to the second, too"],
      [],
    ]);
    await scene.end();
  });

  test("with --bind uses only addresses of its families", async () => {
    const scene = new Scene();
    scene.wire.names.set(NAME, [AT_6, SERVER_APP]);
    scene.wire.names.set("here.example", [SERVER]);
    const { server, serverApp, clientApp } = await scene.pair({ target, bind: "here.example" });
    expect(server.tunnel.udp).toEqual([{ address: SERVER, port: UDP_PORT }]);
    clientApp.send("10.0.0.2", "by its own family");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["by its own family"]);
    expect(server.tunnel.counters.refusals).toBe(0);
    await scene.end();
  });

  test("changes at start when one has no route, or no socket of its family", async () => {
    for (const lack of ["route", "socket"]) {
      const scene = new Scene();
      if (lack === "route") scene.wire.unroutable.add(AT_6);
      else scene.wire.missingAddresses.add("::");
      scene.wire.names.set(NAME, [AT_6, SERVER_APP]);
      const { server, serverApp, clientApp } = await scene.pair({ target });
      clientApp.send("10.0.0.2", "arrives");
      await scene.clock.settle();
      expect(serverApp.texts).toEqual(["arrives"]);
      expect(server.tunnel.counters.inbound.droppedTotal).toBe(0);
      expect(server.events).toContainEqual(expect.objectContaining({ reason: "no socket" }));
      await scene.end();
    }
  });

  test("changes to another family when the address of --bind is removed", async () => {
    const scene = new Scene();
    scene.wire.names.set(NAME, [AT_4, "10.0.1.78", AT_6]);
    scene.wire.names.set("here.example", [SERVER, "::1"]);
    const { server, clientApp } = await scene.pair({ target, bind: "here.example" });
    const app = new App(scene.wire, AT_6);
    scene.wire.missingAddresses.add(SERVER);
    clientApp.send("10.0.0.2", "refused by the first");
    await scene.clock.advance(100);
    clientApp.send("10.0.0.2", "arrives");
    await scene.clock.settle();
    expect(app.texts.at(-1)).toBe("arrives");
    expect(server.events).toContainEqual(
      expect.objectContaining({ to: { address: AT_6, port: UDP_PORT }, reason: "no socket" }),
    );
    await scene.end();
  });

  test("does not change in RTP mode because RTCP is refused", async () => {
    const scene = new Scene();
    scene.wire.names.set(NAME, [SERVER_APP, AT_4]);
    const { server, clientApp } = await scene.pair(
      { target, rtp: true },
      { rtp: true, target: `${CLIENT_APP}/${UDP_PORT}` },
    );
    const rtcp = new App(scene.wire, CLIENT_APP, UDP_PORT + 1);
    answer(scene, SERVER_APP, "media");
    for (let n = 0; n < 20; n++) {
      clientApp.send("10.0.0.2", "media");
      rtcp.send("10.0.0.2", "report");
      await scene.clock.advance(1000);
    }
    expect(server.tunnel.counters.refusals).toBe(20);
    expect(server.events.filter(({ type }) => type === "target switched")).toEqual([]);
    await scene.end();
  });
});

describe("a target whose name gets other addresses", () => {
  const expectFollowed = async (how: (scene: Scene) => Promise<void>) => {
    const { scene, server, serverApp, clientApp } = await pairWith([SERVER_APP]);
    const elsewhere = new App(scene.wire, AT_4);
    clientApp.send("10.0.0.2", "before");
    await scene.clock.settle();
    scene.wire.names.set(NAME, [AT_4]);
    await how(scene);
    clientApp.send("10.0.0.2", "after");
    await scene.clock.settle();
    answer(scene, AT_4, "from there");
    answer(scene, SERVER_APP, "from the old one");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["before"]);
    expect(elsewhere.texts).toEqual(["after"]);
    expect(clientApp.texts).toEqual(["from there"]);
    const change = { name: NAME, addresses: [AT_4], before: [SERVER_APP], using: AT_4 };
    expect(server.events).toContainEqual({ type: "target address changed", ...change });
    await scene.end();
  };

  test("is followed in both directions at a reconnect", async () => {
    await expectFollowed(async (scene) => {
      for (const end of scene.stream) end.fail("ECONNRESET");
      await scene.clock.advance(5000);
    });
  });

  test("is followed in both directions while the connection stays up", async () => {
    await expectFollowed(async (scene) => await scene.clock.advance(LOOKUP_INTERVAL_MS));
  });

  test("costs only the datagrams that wait for the socket, which are counted", async () => {
    const { scene, server, clientApp } = await pairWith([SERVER_APP]);
    const elsewhere = new App(scene.wire, AT_4);
    const socket: MemoryDatagramPort = scene.udp(SERVER);
    socket.faults.room = 0;
    clientApp.send("10.0.0.2", "waits");
    await scene.clock.settle();
    scene.wire.names.set(NAME, [AT_4]);
    await scene.clock.advance(LOOKUP_INTERVAL_MS);
    expect(server.tunnel.counters.inbound.dropped.unreachable).toBe(1);
    socket.drain();
    clientApp.send("10.0.0.2", "after");
    await scene.clock.settle();
    expect(elsewhere.texts).toEqual(["after"]);
    await scene.end();
  });

  test("is looked up at a refusal", async () => {
    const scene = new Scene();
    scene.wire.names.set(NAME, [AT_4]);
    const { clientApp, serverApp } = await scene.pair({ target });
    await scene.clock.advance(LOOKUP_PAUSE_MS);
    scene.wire.names.set(NAME, [SERVER_APP]);
    clientApp.send("10.0.0.2", "refused");
    await scene.clock.advance(LOOKUP_PAUSE_MS);
    clientApp.send("10.0.0.2", "arrives");
    await scene.clock.settle();
    expect(serverApp.texts).toEqual(["arrives"]);
    await scene.end();
  });
});
