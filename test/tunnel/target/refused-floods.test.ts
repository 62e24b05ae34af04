/** What a flood of refused datagrams costs: no look at the system, and no event built to be thrown away. */

import { describe, expect, spyOn, test } from "bun:test";
import { LOCAL_ADDRESSES_MS, LocalAddressCache } from "../../../src/net/udp/host-addresses.ts";
import { EventReporter } from "../../../src/observe/event-reporter.ts";
import { AddressFilter } from "../../../src/tunnel/access/address-filter.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { VirtualClock } from "../../support/memory/virtual-clock.ts";
import { CLIENT, CLIENT_APP, Scene, UDP_PORT, utf8 } from "../../support/memory-tunnels.ts";
import { SessionScene } from "../session/session-scene.ts";

const FLOOD = 1000;
const payload = utf8("x");

/** Calls of `EventReporter.report` with this type while `run` runs. */
async function reportsOf(type: string, run: () => Promise<void>): Promise<number> {
  const report = spyOn(EventReporter.prototype, "report");
  try {
    await run();
    return report.mock.calls.filter(([event]) => event.type === type).length;
  } finally {
    report.mockRestore();
  }
}

/** Sends from two addresses in turn to the client's UDP port. */
function flood(scene: Scene, addresses: readonly [string, string], port: number): void {
  const to = { address: CLIENT, port: UDP_PORT };
  for (let count = 0; count < FLOOD; count++) {
    scene.wire.inject({ address: addresses[count % 2] as string, port }, to, payload);
  }
}

describe("a flood whose source address alternates", () => {
  test("with our own port, at a group: the interfaces are looked at once in 5 s, one event is built", async () => {
    const looks = spyOn(MemoryNetwork.prototype, "localAddresses");
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
    expect(looks).toHaveBeenCalledTimes(1);
    expect(searches).not.toHaveBeenCalled();
    expect(reports).toBe(1);
    await scene.clock.advance(LOCAL_ADDRESSES_MS);
    searches.mockClear(); // the interface of the group is looked at now and then
    flood(scene, [CLIENT, "10.0.7.7"], port);
    expect(looks).toHaveBeenCalledTimes(2);
    expect(searches).not.toHaveBeenCalled();
    for (const spy of [looks, searches]) spy.mockRestore();
    await scene.end();
  });

  test("from strangers, in peer mode: one event is built, the rest are counted", async () => {
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

  test("from strangers, with a session for each source: likewise", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { from: [CLIENT_APP] });
    const reports = await reportsOf("wrong source", async () => {
      flood(scene, ["10.0.7.7", "10.0.7.8"], 999);
    });
    expect(reports).toBe(1);
    expect(client.tunnel.counters.outbound.dropped["wrong source"]).toBe(FLOOD);
    await scene.end();
  });

  test("without room for another session: likewise", async () => {
    const scene = new SessionScene();
    const { client } = await scene.both({}, { maxSessions: 1 });
    scene.source(6001).send("the one there is room for");
    const reports = await reportsOf("session rejected", async () => {
      flood(scene, ["10.0.7.7", "10.0.7.8"], 999);
    });
    expect(reports).toBe(1);
    expect(client.tunnel.counters.outbound.dropped["session limit"]).toBe(FLOOD);
    await scene.end();
  });
});

test("an event that was not due is counted among the repeats of the next", () => {
  let now = 0;
  const told: number[] = [];
  const events = new EventReporter(() => now);
  events.addListener((_event, _level, repeats) => told.push(repeats));
  const source = { address: "192.0.2.1", port: 5 };
  for (const at of [0, 1, 2, 60_000]) {
    now = at;
    if (events.isDue("loop detected")) events.report({ type: "loop detected", source });
  }
  expect(told).toEqual([0, 2]);
});

test("this host's addresses are known in each spelling a socket uses, and looked up again after 5 s", async () => {
  const clock = new VirtualClock();
  let now = ["192.0.2.1", "fe80::1"];
  const own = new LocalAddressCache(() => now, clock);
  const asked = ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.2", "::ffff:192.0.2.2", "fe80::2"];
  expect(asked.filter((address) => own.has(address))).toEqual(asked.slice(0, 3));
  now = ["192.0.2.2"];
  expect(own.has("192.0.2.2")).toBe(false);
  await clock.advance(LOCAL_ADDRESSES_MS);
  expect(own.has("192.0.2.2")).toBe(true);
});

test("a filter remembers a bounded number of the addresses it allows, and judges all alike", () => {
  const filter = new AddressFilter(["10.0.0.0/16"]);
  for (let round = 0; round < 2; round++) {
    for (let count = 0; count < FLOOD; count++) {
      const host = `${count >> 8}.${count & 255}`;
      expect(filter.allows(`10.0.${host}`)).toBe(true);
      expect(filter.allows(`10.1.${host}`)).toBe(false);
    }
  }
});
