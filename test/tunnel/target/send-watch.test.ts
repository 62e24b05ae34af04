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
function sendingEvents({ events }: Pick<Watched, "events">): TunnelEvent[] {
  return events.filter(({ type }) => type.startsWith("sending"));
}

/** A pair whose server's kernel refuses datagrams with the code that `refuse` returns, if any. */
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
  test("is reported at once with the errno, then once a minute with the datagrams lost", async () => {
    const { scene, server, send } = await refusing(() => "EPERM");
    await send(1);
    expect(sendingEvents(server)).toEqual([
      { type: "sending failed", target: TARGET, code: "EPERM", lost: 1 },
    ]);
    expect(server.warnings).toContainEqual(sendingEvents(server)[0] as TunnelEvent);
    for (let second = 0; second < 61; second++) {
      await send(10);
      await scene.clock.advance(1000);
    }
    expect(sendingEvents(server).slice(1)).toEqual([
      { type: "sending failed", target: TARGET, code: "EPERM", lost: 602 },
    ]);
    expect(server.tunnel.stats().inbound.dropped["send error"]).toBe(611);
    await scene.end();
  });

  test("makes the tunnel unhealthy until one is sent, or none is refused for a minute", async () => {
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

  test("has recovered when datagrams are sent and none is refused for 10 s", async () => {
    let count = 0;
    // As for a host that does not answer ARP: the kernel accepts some datagrams and refuses others.
    let refuse = () => (count++ % 3 === 0 ? "EHOSTUNREACH" : undefined);
    const { scene, server, send } = await refusing(() => refuse());
    for (let second = 0; second < 30; second++) {
      await send(3);
      await scene.clock.advance(1000);
    }
    expect(sendingEvents(server).map(({ type }) => type)).toEqual(["sending failed"]);
    refuse = () => undefined;
    for (let second = 0; second < 12; second++) {
      await send(1);
      await scene.clock.advance(1000);
    }
    expect(sendingEvents(server).slice(1)).toEqual([{ type: "sending recovered", target: TARGET, lost: 30 }]);
    await scene.end();
  });

  test("is reported once a minute while sending alternately fails and recovers", async () => {
    let code: string | undefined;
    const { scene, server, send } = await refusing(() => code);
    for (let second = 0; second < 120; second++) {
      code = second % 15 === 0 ? "EPERM" : undefined;
      await send(1);
      await scene.clock.advance(1000);
    }
    expect(sendingEvents(server).map(({ type }) => type)).toEqual([
      "sending failed",
      "sending recovered",
      "sending failed",
      "sending recovered",
    ]);
    await scene.end();
  });

  test("with ENOBUFS is reported only when all are refused for a second", async () => {
    let count = 0;
    let refuse = () => (count++ % 2 === 0 ? "ENOBUFS" : undefined);
    const { scene, server, send } = await refusing(() => refuse());
    for (let count = 0; count < 20; count++) {
      await send(4);
      await scene.clock.advance(500);
    }
    expect(sendingEvents(server)).toEqual([]);
    refuse = () => "ENOBUFS";
    for (let count = 0; count < 4; count++) {
      await send(4);
      await scene.clock.advance(500);
    }
    expect(sendingEvents(server)).toMatchObject([{ type: "sending failed", code: "ENOBUFS" }]);
    expect(server.tunnel.stats().sendFailure).toBe("ENOBUFS");
    await scene.end();
  });

  test("is not reported for a datagram that is too long, or a program that does not listen", async () => {
    let code = "EMSGSIZE";
    const { scene, server, send } = await refusing(() => code);
    await send(1);
    code = "ECONNREFUSED";
    await send(1);
    expect(sendingEvents(server)).toEqual([]);
    expect(isHealthy(server.tunnel.stats())).toBe(true);
    await scene.end();
  });
});

describe("per-source mode", () => {
  test("a socket that cannot be opened is reported with the errno, and makes the tunnel unhealthy", async () => {
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
    expect(sendingEvents({ events })).toEqual([
      { type: "sending failed", target: TARGET, code: "EADDRNOTAVAIL", lost: 1 },
    ]);
    expect(isHealthy(tunnel.stats())).toBe(false);
    await scene.end();
  });

  test("the client reports the source and stays healthy: other sources may be reachable", async () => {
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
    expect(sendingEvents(server)).toEqual([]);
    expect(sendingEvents(client)).toEqual([
      { type: "sending failed", target: { address: "10.0.9.1", port: 7 }, code: "EPERM", lost: 1 },
    ]);
    expect(isHealthy(client.tunnel.stats())).toBe(true);
    await scene.end();
  });
});
