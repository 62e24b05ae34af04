import { describe, expect, test } from "bun:test";
import { startServer, type TunnelEvent } from "../../../src/index.ts";
import { NetError } from "../../../src/net/network.ts";
import { isHealthy } from "../../../src/observe/stats.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import {
  CLIENT,
  Scene,
  SERVER,
  SERVER_APP,
  TCP_PORT,
  UDP_PORT,
  type Watched,
} from "../../support/memory-tunnels.ts";
import { Source } from "../session/session-scene.ts";

const TARGET = { address: SERVER_APP, port: UDP_PORT };

/** The events about sending. */
function about({ events }: Pick<Watched, "events">): TunnelEvent[] {
  return events.filter(({ type }) => type.startsWith("sending"));
}

/** A pair whose server's kernel refuses with the code that `refuse` returns, and a way to send it datagrams. */
async function refusing(refuse: () => string | undefined) {
  const scene = new Scene();
  const { server, clientApp } = await scene.pair();
  scene.udp(SERVER).faults.refuse = refuse;
  const send = async (datagrams: number) => {
    for (let count = 0; count < datagrams; count++) clientApp.send(CLIENT, "x");
    await scene.clock.settle();
  };
  return { scene, server, send };
}

describe("a target that the kernel refuses to send to", () => {
  test("is reported at once with the errno, then once a minute with what was lost", async () => {
    const { scene, server, send } = await refusing(() => "EPERM");
    await send(1);
    expect(about(server)).toEqual([{ type: "sending failed", target: TARGET, code: "EPERM", lost: 1 }]);
    expect(server.warnings).toContainEqual(about(server)[0] as TunnelEvent);
    for (let second = 0; second < 61; second++) {
      await send(10);
      await scene.clock.advance(1000);
    }
    expect(about(server).slice(1)).toEqual([
      { type: "sending failed", target: TARGET, code: "EPERM", lost: 602 },
    ]);
    expect(server.tunnel.stats().inbound.dropped["send error"]).toBe(611);
    await scene.end();
  });

  test("is bad health until a datagram goes, or none was refused for a minute", async () => {
    let code: string | undefined = "ENETUNREACH";
    const { scene, server, send } = await refusing(() => code);
    const health = () => {
      const stats = server.tunnel.stats();
      return [isHealthy(stats), stats.sendFailure];
    };
    expect(health()).toEqual([true, undefined]);
    await send(1);
    expect(health()).toEqual([false, "ENETUNREACH"]);
    code = undefined;
    await send(1);
    expect(health()).toEqual([true, undefined]);
    code = "EPERM";
    await send(1);
    await scene.clock.advance(59_999);
    expect(health()).toEqual([false, "EPERM"]);
    await scene.clock.advance(1);
    expect(health()).toEqual([true, undefined]);
    await scene.end();
  });

  test("works again when datagrams go and none was refused for 10 s", async () => {
    let turn = 0;
    // A host that does not answer ARP: some datagrams are taken, now and then one is refused.
    let refuse = () => (turn++ % 3 === 0 ? "EHOSTUNREACH" : undefined);
    const { scene, server, send } = await refusing(() => refuse());
    for (let second = 0; second < 30; second++) {
      await send(3);
      await scene.clock.advance(1000);
    }
    expect(about(server).map(({ type }) => type)).toEqual(["sending failed"]);
    refuse = () => undefined;
    for (let second = 0; second < 12; second++) {
      await send(1);
      await scene.clock.advance(1000);
    }
    expect(about(server).slice(1)).toEqual([{ type: "sending recovered", target: TARGET, lost: 30 }]);
    await scene.end();
  });

  test("that comes and goes is reported once a minute, each failure with its recovery", async () => {
    let code: string | undefined;
    const { scene, server, send } = await refusing(() => code);
    for (let second = 0; second < 120; second++) {
      code = second % 15 === 0 ? "EPERM" : undefined;
      await send(1);
      await scene.clock.advance(1000);
    }
    expect(about(server).map(({ type }) => type)).toEqual([
      "sending failed",
      "sending recovered",
      "sending failed",
      "sending recovered",
    ]);
    await scene.end();
  });

  test("is overload, and no failure, while a full queue takes some; it is one when none goes for a second", async () => {
    let turn = 0;
    let refuse = () => (turn++ % 2 === 0 ? "ENOBUFS" : undefined);
    const { scene, server, send } = await refusing(() => refuse());
    for (let count = 0; count < 20; count++) {
      await send(4);
      await scene.clock.advance(500);
    }
    expect(about(server)).toEqual([]);
    refuse = () => "ENOBUFS";
    for (let count = 0; count < 4; count++) {
      await send(4);
      await scene.clock.advance(500);
    }
    expect(about(server)).toMatchObject([{ type: "sending failed", code: "ENOBUFS" }]);
    expect(server.tunnel.stats().sendFailure).toBe("ENOBUFS");
    await scene.end();
  });

  test("is not what a datagram that is too long meets, nor a program that does not listen", async () => {
    let code = "EMSGSIZE";
    const { scene, server, send } = await refusing(() => code);
    await send(1);
    code = "ECONNREFUSED";
    await send(1);
    expect(about(server)).toEqual([]);
    expect(isHealthy(server.tunnel.stats())).toBe(true);
    await scene.end();
  });
});

describe("per-source mode", () => {
  test("a socket that cannot be opened is reported with the errno, and is bad health", async () => {
    const scene = new Scene();
    const events: TunnelEvent[] = [];
    const network = Object.assign(new MemoryNetwork(scene.wire, SERVER), {
      openDatagramPort() {
        throw new NetError("EADDRNOTAVAIL", "cannot bind");
      },
    });
    const options = { listen: `${SERVER}/${TCP_PORT}`, target: `${SERVER_APP}/${UDP_PORT}`, perSource: true };
    const tunnel = await startServer(options, { network, onEvent: (event) => events.push(event) });
    scene.started.push(tunnel);
    await scene.client({ perSource: true });
    new Source(scene.wire, "10.0.9.1", 1).send("x");
    await scene.clock.settle();
    expect(about({ events })).toEqual([
      { type: "sending failed", target: TARGET, code: "EADDRNOTAVAIL", lost: 1 },
    ]);
    expect(isHealthy(tunnel.stats())).toBe(false);
    await scene.end();
  });

  test("at the client it names the source, and is no bad health: other sources are other targets", async () => {
    const scene = new Scene();
    const { client, server } = await scene.pair({ perSource: true }, { perSource: true });
    const source = new Source(scene.wire, "10.0.9.1", 7);
    source.send("x");
    await scene.clock.settle();
    const session = [...scene.wire.datagramPorts.values()].find(
      ({ local }) => local.address === SERVER && local.port !== UDP_PORT,
    );
    scene.udp(CLIENT).faults.refuse = () => "EPERM";
    session?.receiver.onDatagram(Uint8Array.of(1), UDP_PORT, SERVER_APP);
    await scene.clock.settle();
    expect(about(server)).toEqual([]);
    expect(about(client)).toEqual([
      { type: "sending failed", target: { address: "10.0.9.1", port: 7 }, code: "EPERM", lost: 1 },
    ]);
    expect(isHealthy(client.tunnel.stats())).toBe(true);
    await scene.end();
  });
});
