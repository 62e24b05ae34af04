/** Sessions of a server whose target has several addresses, or whose name gets other addresses. */

import { describe, expect, test } from "bun:test";
import { LOOKUP_INTERVAL_MS, LOOKUP_PAUSE_MS } from "../../../src/tunnel/target/name-lookup.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { SERVER, SERVER_APP, UDP_PORT } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";
import { SessionScene } from "./session-scene.ts";

const NAME = "app.example";
const target = `${NAME}/${UDP_PORT}`;
const ELSEWHERE = "2001:db8::5";
const at = (address: string) => ({ address, port: UDP_PORT });

/** A target name with these addresses. Only SERVER_APP has a program. */
function sceneWith(...addresses: string[]): SessionScene {
  const scene = new SessionScene();
  scene.wire.names.set(NAME, addresses);
  return scene;
}

/** Opens a program at another address, which answers. @returns the texts that it receives. */
function programAt(scene: SessionScene, address: string): string[] {
  const received: string[] = [];
  new MemoryNetwork(scene.wire, address).openDatagramPort(
    { bind: at(address) },
    {
      onDatagram: (payload, port) => {
        received.push(new TextDecoder().decode(payload));
        scene.wire.inject(at(address), { address: SERVER, port }, utf8(`from ${address}`));
      },
      onError() {},
    },
  );
  return received;
}

const typesOf = (events: readonly { type: string }[]) =>
  events.map(({ type }) => type).filter((type) => type.startsWith("target"));

describe("a target with several addresses", () => {
  test("is tried in order; a refusal leads to the next address and loses no datagram", async () => {
    const scene = sceneWith(ELSEWHERE, SERVER_APP);
    const { server } = await scene.both({ target });
    const sources = Array.from({ length: 12 }, (_, n) => scene.source(6000 + n));
    for (const source of sources) source.send("ask");
    await scene.clock.settle();
    for (const source of sources) expect(source.answers).toEqual(["re ask"]);
    expect(scene.target.texts).toHaveLength(12);
    expect(server.events).toContainEqual({
      type: "target switched",
      from: at(ELSEWHERE),
      to: at(SERVER_APP),
      reason: "refused",
    });
    // New sessions do not start at the address that has refused.
    const { refusals } = server.tunnel.counters;
    const late = scene.source(6100);
    late.send("late");
    await scene.clock.settle();
    expect(late.answers).toEqual(["re late"]);
    expect(server.tunnel.counters.refusals).toBe(refusals);
    await scene.end();
  });

  test("that is down receives no datagram twice, and is used when it is up", async () => {
    const scene = sceneWith(ELSEWHERE, "10.0.1.77");
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    for (let n = 0; n < 5; n++) {
      source.send(`before ${n}`);
      await scene.clock.advance(100);
    }
    expect(server.tunnel.counters.inbound.sent).toBe(5);
    await scene.clock.advance(1000);
    const received = programAt(scene, "10.0.1.77");
    source.send("now");
    await scene.clock.advance(100);
    expect(received).toEqual(["now"]);
    expect(source.answers).toEqual(["from 10.0.1.77"]);
    await scene.end();
  });

  test("that is silent is left for the next address, and kept when all are silent", async () => {
    const scene = sceneWith(ELSEWHERE, "10.0.1.77");
    for (const address of [ELSEWHERE, "10.0.1.77"]) scene.wire.blackHoles.add(address);
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    for (let n = 0; n < 120; n++) {
      source.send("one way");
      await scene.clock.advance(500);
    }
    const switches = server.events.filter(({ type }) => type === "target switched");
    expect(switches).toEqual([
      { type: "target switched", from: at(ELSEWHERE), to: at("10.0.1.77"), reason: "no answer" },
      { type: "target switched", from: at("10.0.1.77"), to: at(ELSEWHERE), reason: "no answer" },
    ]);
    expect(server.tunnel.counters.inbound.sent).toBe(120);
    await scene.end();
  });

  test("that is silent is left, although another program sends to the session's socket", async () => {
    const scene = sceneWith(ELSEWHERE, SERVER_APP);
    scene.wire.blackHoles.add(ELSEWHERE);
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    const other = { address: "10.0.7.7", port: 7 };
    for (let n = 0; n < 20; n++) {
      source.send("ask");
      await scene.clock.advance(500);
      const [socket] = [...scene.wire.datagramPorts.values()].filter(
        ({ local }) => local.address === SERVER && local.port !== UDP_PORT,
      );
      if (socket) scene.wire.inject(other, socket.local, utf8("psst"));
    }
    expect(server.events).toContainEqual(
      expect.objectContaining({ reason: "no answer", to: at(SERVER_APP) }),
    );
    expect(source.answers.at(-1)).toBe("re ask");
    await scene.end();
  });

  test("keeps an address that has answered, also when answers cease", async () => {
    const scene = sceneWith(SERVER_APP, ELSEWHERE);
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    source.send("ask");
    await scene.clock.advance(1500);
    scene.target.answers = false;
    for (let n = 0; n < 60; n++) {
      source.send("one way");
      await scene.clock.advance(500);
    }
    expect(scene.target.texts).toHaveLength(61);
    expect(typesOf(server.events)).toEqual([]);
    await scene.end();
  });

  test("is left at once if it has no route", async () => {
    const scene = sceneWith(ELSEWHERE, SERVER_APP);
    scene.wire.unroutable.add(ELSEWHERE);
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    source.send("ask");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re ask"]);
    expect(server.events).toContainEqual(expect.objectContaining({ reason: "no socket" }));
    expect(server.tunnel.stats().sendFailure).toBeUndefined();
    await scene.end();
  });

  test("with --bind uses only addresses of the same family", async () => {
    const scene = sceneWith(ELSEWHERE, SERVER_APP);
    programAt(scene, ELSEWHERE);
    scene.wire.names.set("here.example", [SERVER]);
    await scene.both({ target, bind: "here.example" });
    const source = scene.source(6000);
    source.send("ask");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re ask"]);
    await scene.end();
  });
});

describe("a target whose name gets other addresses", () => {
  test("is followed within a minute, in both directions, also by open sessions", async () => {
    const scene = sceneWith(SERVER_APP);
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    source.send("ask");
    await scene.clock.settle();
    const received = programAt(scene, ELSEWHERE);
    scene.wire.names.set(NAME, [ELSEWHERE]);
    for (let ms = 0; ms <= LOOKUP_INTERVAL_MS; ms += 10_000) {
      source.send("still");
      await scene.clock.advance(10_000);
    }
    const old = scene.target.texts.length;
    source.send("moved");
    await scene.clock.settle();
    expect(received.at(-1)).toBe("moved");
    expect(source.answers.at(-1)).toBe(`from ${ELSEWHERE}`);
    expect(scene.target.texts).toHaveLength(old);
    const change = { name: NAME, addresses: [ELSEWHERE], before: [SERVER_APP], using: ELSEWHERE };
    expect(server.events).toContainEqual({ type: "target address changed", ...change });
    expect(server.tunnel.stats().sessions).toBe(1);
    await scene.end();
  });

  test("is looked up at a refusal, at most every 2 s, and never twice at once", async () => {
    const scene = sceneWith("10.0.1.77");
    await scene.both({ target });
    const source = scene.source(6000);
    for (let n = 0; n < 100; n++) {
      source.send("refused");
      await scene.clock.advance(100);
    }
    expect(scene.wire.lookups.length).toBeGreaterThan(3);
    expect(scene.wire.lookups.length).toBeLessThanOrEqual(10_000 / LOOKUP_PAUSE_MS + 1);
    scene.wire.names.set(NAME, [SERVER_APP]);
    await scene.clock.advance(LOOKUP_PAUSE_MS);
    source.send("ask");
    await scene.clock.advance(LOOKUP_PAUSE_MS);
    source.send("ask");
    await scene.clock.settle();
    expect(source.answers.at(-1)).toBe("re ask");
    await scene.end();
  });

  test("keeps its address when their order changes, and when a look-up fails", async () => {
    const scene = sceneWith(SERVER_APP, ELSEWHERE);
    const { server } = await scene.both({ target });
    const source = scene.source(6000);
    source.send("ask");
    await scene.clock.settle();
    scene.wire.names.set(NAME, [ELSEWHERE, SERVER_APP]);
    await scene.clock.advance(LOOKUP_INTERVAL_MS);
    scene.wire.names.clear();
    await scene.clock.advance(LOOKUP_INTERVAL_MS);
    source.send("again");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re ask", "re again"]);
    expect(typesOf(server.events)).toEqual([]);
    expect(server.warnings.map(({ type }) => type)).toContain("name lookup failed");
    await scene.end();
  });

  test("a literal is never looked up", async () => {
    const scene = new SessionScene();
    await scene.both();
    await scene.clock.advance(10 * LOOKUP_INTERVAL_MS);
    expect(scene.wire.lookups).toEqual([]);
    await scene.end();
  });
});

describe("a session that cannot open a UDP socket", () => {
  test("reports the error at once, counts lost datagrams, and retries with growing delays", async () => {
    const scene = new SessionScene();
    let tries = 0;
    scene.wire.socketFault = ({ oneTarget }) => {
      if (oneTarget !== true) return undefined;
      tries++;
      return "EMFILE";
    };
    const { server } = await scene.both();
    const source = scene.source(6000);
    for (let n = 0; n < 1000; n++) {
      source.send("ask");
      await scene.clock.advance(10);
    }
    const { inbound } = server.tunnel.counters;
    expect(inbound.dropped["no socket"]).toBe(1000);
    expect(inbound.dropped["receive only"]).toBe(0);
    expect(tries).toBe(7); // at 0, 0.1, 0.3, 0.7, 1.5, 3.1 and 6.3 s
    expect(server.warnings.filter(({ type }) => type === "sending failed")).toEqual([
      { type: "sending failed", target: at(SERVER_APP), code: "EMFILE", lost: 1 },
    ]);
    expect(server.tunnel.stats().sendFailure).toBe("EMFILE");
    scene.wire.socketFault = () => undefined;
    await scene.clock.advance(5000);
    source.send("works");
    await scene.clock.settle();
    expect(source.answers).toEqual(["re works"]);
    await scene.end();
  });
});
