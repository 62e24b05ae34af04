/** A flood of dropped datagrams costs neither calls of the system nor events that nothing reports. */

import { describe, expect, spyOn, test } from "bun:test";
import { LOCAL_ADDRESSES_MS } from "../../../src/net/udp/host-addresses.ts";
import { EventReporter } from "../../../src/observe/event-reporter.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { CLIENT, CLIENT_APP, Scene, UDP_PORT } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";
import { SessionScene } from "../session/session-scene.ts";

const FLOOD = 1000;
const payload = utf8("x");

/** How often `EventReporter.report` is called with this type while `run` runs. */
async function reportsOf(type: string, run: () => Promise<void>): Promise<number> {
  const report = spyOn(EventReporter.prototype, "report");
  try {
    await run();
    return report.mock.calls.filter(([event]) => event.type === type).length;
  } finally {
    report.mockRestore();
  }
}

/** Sends to the client's UDP port, alternately from two addresses. */
function flood(scene: Scene, addresses: readonly [string, string], port: number): void {
  const to = { address: CLIENT, port: UDP_PORT };
  for (let count = 0; count < FLOOD; count++) {
    scene.wire.inject({ address: addresses[count % 2] as string, port }, to, payload);
  }
}

describe("a flood whose source address alternates", () => {
  test("and port is ours, at a group: interfaces are listed once in 5 s, one event is reported", async () => {
    const listings = spyOn(MemoryNetwork.prototype, "localAddresses");
    const searches = spyOn(MemoryNetwork.prototype, "findInterface");
    const scene = new Scene();
    const { tunnel } = await scene.client({ target: "239.1.2.3/5000" });
    searches.mockClear();
    const ownPort = [...scene.wire.datagramPorts.values()].find(({ local }) => local.port !== UDP_PORT);
    const port = ownPort?.local.port as number;
    const reports = await reportsOf("loop detected", async () => {
      flood(scene, [CLIENT, "10.0.7.7"], port);
      flood(scene, ["10.0.7.8", `::ffff:${CLIENT}`], port);
    });
    expect(tunnel.counters.outbound.dropped.loop).toBe(FLOOD);
    expect(listings).toHaveBeenCalledTimes(1);
    expect(searches).not.toHaveBeenCalled();
    expect(reports).toBe(1);
    await scene.clock.advance(LOCAL_ADDRESSES_MS);
    searches.mockClear(); // the watch of the group's interface has searched it
    flood(scene, [CLIENT, "10.0.7.7"], port);
    expect(listings).toHaveBeenCalledTimes(2);
    expect(searches).not.toHaveBeenCalled();
    for (const spy of [listings, searches]) spy.mockRestore();
    await scene.end();
  });

  test("and is not allowed, in peer mode: one event is reported, all are counted", async () => {
    const scene = new Scene();
    const { tunnel, warnings } = await scene.client();
    const reports = await reportsOf("wrong source", async () => {
      flood(scene, ["10.0.7.7", "10.0.7.8"], 999);
    });
    expect(reports).toBe(1);
    expect(warnings).toHaveLength(1);
    expect(tunnel.counters.outbound.dropped["wrong source"]).toBe(FLOOD);
    await scene.end();
  });

  test("and is not allowed, in per-source mode: one event is reported, all are counted", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { from: [CLIENT_APP] });
    const reports = await reportsOf("wrong source", async () => {
      flood(scene, ["10.0.7.7", "10.0.7.8"], 999);
    });
    expect(reports).toBe(1);
    expect(client.tunnel.counters.outbound.dropped["wrong source"]).toBe(FLOOD);
    await scene.end();
  });

  test("without room for another session: one event is reported, all are counted", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { maxSessions: 1 });
    scene.source(6001).send("takes the only session");
    const reports = await reportsOf("session rejected", async () => {
      flood(scene, ["10.0.7.7", "10.0.7.8"], 999);
    });
    expect(reports).toBe(1);
    expect(client.tunnel.counters.outbound.dropped["session limit"]).toBe(FLOOD);
    await scene.end();
  });
});
