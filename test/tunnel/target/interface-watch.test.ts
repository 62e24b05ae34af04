import { describe, expect, test } from "bun:test";
import { NetError } from "../../../src/net/network.ts";
import { CHECK_INTERVAL_MS } from "../../../src/tunnel/target/interface-watch.ts";
import type { MemoryNetwork } from "../../support/memory/network.ts";
import { CLIENT, Scene, SERVER, UDP_PORT, type Watched } from "../../support/memory-tunnels.ts";

const GROUP = `239.1.2.3/${UDP_PORT}`;

/** A pair whose server relays a multicast group. */
async function groupPair(target = GROUP, options: { interface?: string } = { interface: "mem0" }) {
  const scene = new Scene();
  const pair = await scene.pair({ target, ...options });
  const network = (pair.server.tunnel as unknown as { network: MemoryNetwork }).network;
  /** The sockets opened after the start. */
  const opened: string[] = [];
  const open = network.openDatagramPort.bind(network);
  network.openDatagramPort = (options, receiver) => {
    if (options.join) opened.push(`join ${options.bind.address} on ${options.join.interface?.name}`);
    if (options.multicast) opened.push(`send on ${options.multicast.interface?.name}`);
    return open(options, receiver);
  };
  return { scene, network, opened, ...pair };
}

function interfaceEvents({ events }: Watched): string[] {
  return events.flatMap((event) =>
    event.type.startsWith("interface") && "interface" in event ? [`${event.type}: ${event.interface}`] : [],
  );
}

describe("the interface of a multicast group", () => {
  test("when created again, is joined and sent from again", async () => {
    const { scene, server, opened } = await groupPair();
    scene.wire.interface = undefined;
    await scene.clock.advance(3 * CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual(["interface lost: mem0"]);
    expect(opened).toEqual([]);
    scene.wire.interface = { name: "mem0", id: "2" };
    await scene.clock.advance(3 * CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual(["interface lost: mem0", "interface restored: mem0"]);
    expect(opened).toEqual(["join 239.1.2.3 on mem0", "send on mem0"]);
    expect(server.warnings.map(({ type }) => String(type)).slice(-2)).toEqual([
      "interface lost",
      "interface restored",
    ]);
    await scene.end();
  });

  test("when created again between two checks, is detected", async () => {
    const { scene, server, opened } = await groupPair();
    scene.wire.interface = { name: "mem0", id: "2" };
    await scene.clock.advance(CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual(["interface restored: mem0"]);
    expect(opened).toHaveLength(2);
    await scene.end();
  });

  test("is retried until the new one can be used", async () => {
    const { scene, server, network } = await groupPair();
    const open = network.openDatagramPort;
    network.openDatagramPort = () => {
      throw new NetError("EADDRNOTAVAIL", "no address yet");
    };
    scene.wire.interface = { name: "mem0", id: "2" };
    await scene.clock.advance(2 * CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual([]);
    network.openDatagramPort = open;
    await scene.clock.advance(CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual(["interface restored: mem0"]);
    await scene.end();
  });

  test("does not count as lost while the system cannot be asked", async () => {
    const { scene, server, network, opened } = await groupPair(GROUP, {});
    const ask = network.sourceAddressTo;
    network.sourceAddressTo = () => {
      throw new NetError("EMFILE", "too few descriptors");
    };
    await scene.clock.advance(2 * CHECK_INTERVAL_MS);
    network.sourceAddressTo = ask;
    await scene.clock.advance(CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual([]);
    expect(opened).toEqual([]);
    await scene.end();
  });

  test("is the system's choice without --interface", async () => {
    const { scene, server, opened } = await groupPair(GROUP, {});
    scene.wire.interface = { name: "mem1", id: "7" };
    await scene.clock.advance(CHECK_INTERVAL_MS);
    expect(interfaceEvents(server)).toEqual(["interface restored: mem1"]);
    expect(opened).toEqual(["join 239.1.2.3 on undefined", "send on undefined"]);
    await scene.end();
  });

  test("costs only the datagrams that wait for the former socket, which are counted", async () => {
    const { scene, server, clientApp } = await groupPair();
    const sending = [...scene.wire.datagramPorts.values()].find(
      ({ local }) => local.address === SERVER && local.port !== UDP_PORT,
    );
    if (sending) sending.faults.room = 0;
    clientApp.send(CLIENT, "waits");
    await scene.clock.settle();
    expect(server.tunnel.stats().inbound.held).toBe(1);
    scene.wire.interface = { name: "mem0", id: "2" };
    await scene.clock.advance(CHECK_INTERVAL_MS);
    clientApp.send(CLIENT, "sent");
    await scene.clock.settle();
    expect(server.tunnel.stats().inbound).toMatchObject({ held: 0, sent: 1, dropped: { unreachable: 1 } });
    await scene.end();
  });
});

test("a tunnel that a listener of the event closes stops checking", async () => {
  const { scene, server, opened } = await groupPair();
  server.tunnel.once("interface restored", () => void server.tunnel.close());
  scene.wire.interface = { name: "mem0", id: "2" };
  await scene.clock.advance(CHECK_INTERVAL_MS);
  scene.wire.interface = { name: "mem0", id: "3" };
  await scene.clock.advance(CHECK_INTERVAL_MS);
  expect(opened).toHaveLength(2);
  await scene.end();
});

test("the interface of a unicast target without a zone is not checked", async () => {
  const scene = new Scene();
  const { server } = await scene.pair();
  scene.wire.interface = undefined;
  await scene.clock.advance(3 * CHECK_INTERVAL_MS);
  expect(interfaceEvents(server)).toEqual([]);
  await scene.end();
});
