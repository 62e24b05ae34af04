/** A listening name means all its addresses. */

import { describe, expect, test } from "bun:test";
import { listenChannels, startClient, startServer, type TunnelEvent } from "../../src/index.ts";
import { formatEndpoint } from "../../src/net/endpoint.ts";
import { describeEvent } from "../../src/observe/describe-event.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import { CLIENT, Scene, SERVER, SERVER_APP, TCP_PORT, UDP_PORT, utf8 } from "../support/memory-tunnels.ts";

const HERE = "2001:db8::1";
const HERE_TOO = "10.0.0.9";

/** A wire on which `here.example` has two addresses of one host. */
function twoAddresses() {
  const wire = new MemoryWire();
  wire.names.set("here.example", [HERE, HERE_TOO]);
  const events: TunnelEvent[] = [];
  const network = new MemoryNetwork(wire, SERVER, HERE, HERE_TOO);
  return { wire, events, extras: { network, onEvent: (event: TunnelEvent) => void events.push(event) } };
}

const SERVERS = {
  "in peer mode": { target: `${SERVER_APP}/${UDP_PORT}` },
  "with sessions": { target: `${SERVER_APP}/${UDP_PORT}`, perSource: true },
};

describe("a server listens on every address of the name it is given", () => {
  for (const [mode, options] of Object.entries(SERVERS)) {
    test(`${mode}, on the same port where the system chooses it`, async () => {
      const { wire, extras } = twoAddresses();
      await using server = await startServer({ ...options, listen: "here.example/0" }, extras);
      const [first, second] = server.tcp;
      expect(server.tcp.map(({ address }) => address)).toEqual([HERE, HERE_TOO]);
      expect(first?.port).toBe(second?.port ?? 0);
      expect([...wire.listeners.keys()]).toEqual(server.tcp.map(formatEndpoint));
      const closing = server.close();
      await wire.clock.advance(1100);
      await closing;
      expect(wire.listeners.size).toBe(0);
    });

    test(`${mode}, without those that the host lacks, which is told`, async () => {
      const { wire, events, extras } = twoAddresses();
      wire.missingAddresses.add(HERE);
      const server = await startServer({ ...options, listen: `here.example/${TCP_PORT}` }, extras);
      expect(server.tcp).toEqual([{ address: HERE_TOO, port: TCP_PORT }]);
      const message = `cannot listen on TCP [${HERE}]:${TCP_PORT}: EADDRNOTAVAIL`;
      const told = { type: "address skipped", address: HERE, code: "EADDRNOTAVAIL", message } as const;
      expect(events).toContainEqual(told);
      const closing = server.close();
      await wire.clock.advance(1100);
      await closing;
    });

    test(`${mode}, or not at all when it has none of them, or one is in use`, async () => {
      const { wire, extras } = twoAddresses();
      const given = { ...options, listen: `here.example/${TCP_PORT}` };
      new MemoryNetwork(wire, HERE_TOO).listen({ address: HERE_TOO, port: TCP_PORT }, () => {});
      await expect(startServer(given, extras)).rejects.toThrow(`TCP ${HERE_TOO}:${TCP_PORT}: EADDRINUSE`);
      expect(wire.listeners.size).toBe(1);
      wire.listeners.clear();
      wire.missingAddresses.add(HERE).add(HERE_TOO);
      await expect(startServer(given, extras)).rejects.toThrow(`TCP [${HERE}]:${TCP_PORT}: EADDRNOTAVAIL`);
    });
  }
});

test("channels are accepted on every address of the name", async () => {
  const { wire, extras } = twoAddresses();
  const server = await listenChannels({ listen: `here.example/${TCP_PORT}` }, () => {}, extras);
  expect(server.tcp.map(({ address }) => address)).toEqual([HERE, HERE_TOO]);
  await server.close();
  expect(wire.listeners.size).toBe(0);
});

test("a client with sessions listens on every address of the name, and answers from the one that was asked", async () => {
  const scene = new Scene();
  scene.wire.names.set("here.example", [HERE, HERE_TOO]);
  const network = new MemoryNetwork(scene.wire, CLIENT, HERE, HERE_TOO);
  await scene.server({ perSource: true });
  const target = `here.example/${UDP_PORT}`;
  const client = await startClient(
    { connect: `${SERVER}/${TCP_PORT}`, target, perSource: true },
    { network },
  );
  scene.started.push(client);
  expect(client.udp.map(({ address }) => address)).toEqual([HERE, HERE_TOO]);
  // One program asks both addresses from one port.
  const source = { address: "10.0.2.1", port: 6000 };
  const answers: string[] = [];
  const hear = (payload: Uint8Array, port: number, address: string) =>
    void answers.push(`${new TextDecoder().decode(payload)} from ${address}/${port}`);
  new MemoryNetwork(scene.wire, source.address).openDatagramPort(
    { bind: source },
    { onDatagram: hear, onError() {} },
  );
  const app = { address: SERVER_APP, port: UDP_PORT };
  new MemoryNetwork(scene.wire, SERVER_APP).openDatagramPort(
    { bind: app },
    {
      onDatagram: (payload, port, address) => void scene.wire.inject(app, { address, port }, payload),
      onError() {},
    },
  );
  for (const address of [HERE, HERE_TOO, HERE])
    scene.wire.inject(source, { address, port: UDP_PORT }, utf8(address));
  await scene.clock.settle();
  expect(answers.toSorted()).toEqual(
    [HERE, HERE, HERE_TOO].map((address) => `${address} from ${address}/${UDP_PORT}`).toSorted(),
  );
  expect(client.stats().sessions).toBe(2);
  await scene.end();
});

describe("a client with sessions that listens on all addresses, where no local address is reported,", () => {
  async function listening(target: string, addresses: string[]) {
    const events: TunnelEvent[] = [];
    const wire = new MemoryWire();
    const network = new MemoryNetwork(wire, SERVER, ...addresses);
    const extras = { network, onEvent: (event: TunnelEvent) => void events.push(event) };
    const options = { perSource: true, connect: `${CLIENT}/${TCP_PORT}`, target: `${target}/${UDP_PORT}` };
    const client = await startClient(options, extras);
    const closing = client.close();
    await wire.clock.advance(1100);
    await closing;
    return events.filter(({ type }) => type === "local address unknown");
  }

  test("says that answers may leave from another of several", async () => {
    const udp = { address: "0.0.0.0", port: UDP_PORT };
    const told = { type: "local address unknown", udp, addresses: [SERVER, HERE_TOO] } as const;
    expect(await listening("0.0.0.0", [HERE, HERE_TOO, "127.0.0.1", "::1", "fe80::1"])).toEqual([told]);
    expect(describeEvent(told, (key) => key)).toContain(`such as ${SERVER}/${UDP_PORT}`);
    expect(await listening("[::]", [HERE])).toMatchObject([{ addresses: [SERVER, HERE] }]);
  });

  test("says nothing with one address, or where it listens on one", async () => {
    expect(await listening("0.0.0.0", [HERE, "127.0.0.1"])).toEqual([]);
    expect(await listening("[::]", ["::1", "127.0.0.1", "fe80::1"])).toEqual([]);
    expect(await listening(SERVER, [HERE_TOO])).toEqual([]);
  });
});
