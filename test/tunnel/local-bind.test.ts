/** A name to listen on stands for all its addresses. */

import { describe, expect, test } from "bun:test";
import { listenChannels, startClient, startServer, type TunnelEvent } from "../../src/index.ts";
import { formatEndpoint } from "../../src/net/endpoint.ts";
import { describeEvent } from "../../src/observe/describe-event.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import { CLIENT, Scene, SERVER, SERVER_APP, TCP_PORT, UDP_PORT } from "../support/memory-tunnels.ts";
import { utf8 } from "../support/text.ts";

const LOCAL6 = "2001:db8::1";
const LOCAL4 = "10.0.0.9";

/** A network on which `here.example` has two addresses, both of one host. */
function hostWithTwoAddresses() {
  const wire = new MemoryWire();
  wire.names.set("here.example", [LOCAL6, LOCAL4]);
  const events: TunnelEvent[] = [];
  const network = new MemoryNetwork(wire, SERVER, LOCAL6, LOCAL4);
  return { wire, events, extras: { network, onEvent: (event: TunnelEvent) => void events.push(event) } };
}

const SERVERS = {
  "in peer mode": { target: `${SERVER_APP}/${UDP_PORT}` },
  "with sessions": { target: `${SERVER_APP}/${UDP_PORT}`, perSource: true },
};

describe("a server listens on every address of its name", () => {
  for (const [mode, options] of Object.entries(SERVERS)) {
    test(`${mode}, on one port if the system chooses it`, async () => {
      const { wire, extras } = hostWithTwoAddresses();
      await using server = await startServer({ ...options, listen: "here.example/0" }, extras);
      const [first, second] = server.tcp;
      expect(server.tcp.map(({ address }) => address)).toEqual([LOCAL6, LOCAL4]);
      expect(first?.port).toBe(second?.port ?? 0);
      expect([...wire.listeners.keys()]).toEqual(server.tcp.map(formatEndpoint));
      const closing = server.close();
      await wire.clock.advance(1100);
      await closing;
      expect(wire.listeners.size).toBe(0);
    });

    test(`${mode}, and skips and reports an address that the host lacks`, async () => {
      const { wire, events, extras } = hostWithTwoAddresses();
      wire.missingAddresses.add(LOCAL6);
      const server = await startServer({ ...options, listen: `here.example/${TCP_PORT}` }, extras);
      expect(server.tcp).toEqual([{ address: LOCAL4, port: TCP_PORT }]);
      const message = `cannot listen on TCP [${LOCAL6}]:${TCP_PORT}: EADDRNOTAVAIL`;
      const skipped = { type: "address skipped", address: LOCAL6, code: "EADDRNOTAVAIL", message } as const;
      expect(events).toContainEqual(skipped);
      const closing = server.close();
      await wire.clock.advance(1100);
      await closing;
    });

    test(`${mode}, and fails if the host lacks all of them, or if one is in use`, async () => {
      const { wire, extras } = hostWithTwoAddresses();
      const given = { ...options, listen: `here.example/${TCP_PORT}` };
      new MemoryNetwork(wire, LOCAL4).listen({ address: LOCAL4, port: TCP_PORT }, () => {});
      await expect(startServer(given, extras)).rejects.toThrow(`TCP ${LOCAL4}:${TCP_PORT}: EADDRINUSE`);
      expect(wire.listeners.size).toBe(1);
      wire.listeners.clear();
      wire.missingAddresses.add(LOCAL6).add(LOCAL4);
      await expect(startServer(given, extras)).rejects.toThrow(`TCP [${LOCAL6}]:${TCP_PORT}: EADDRNOTAVAIL`);
    });
  }
});

test("channels are accepted on every address of the name", async () => {
  const { wire, extras } = hostWithTwoAddresses();
  const server = await listenChannels({ listen: `here.example/${TCP_PORT}` }, () => {}, extras);
  expect(server.tcp.map(({ address }) => address)).toEqual([LOCAL6, LOCAL4]);
  await server.close();
  expect(wire.listeners.size).toBe(0);
});

test("in per-source mode a client listens on every address, and answers from each", async () => {
  const scene = new Scene();
  scene.wire.names.set("here.example", [LOCAL6, LOCAL4]);
  const network = new MemoryNetwork(scene.wire, CLIENT, LOCAL6, LOCAL4);
  await scene.server({ perSource: true });
  const target = `here.example/${UDP_PORT}`;
  const client = await startClient(
    { connect: `${SERVER}/${TCP_PORT}`, target, perSource: true },
    { network },
  );
  scene.started.push(client);
  expect(client.udp.map(({ address }) => address)).toEqual([LOCAL6, LOCAL4]);
  // One program sends to both addresses from one port.
  const source = { address: "10.0.2.1", port: 6000 };
  const answers: string[] = [];
  const onDatagram = (payload: Uint8Array, port: number, address: string) =>
    void answers.push(`${new TextDecoder().decode(payload)} from ${address}/${port}`);
  new MemoryNetwork(scene.wire, source.address).openDatagramPort(
    { bind: source },
    { onDatagram, onError() {} },
  );
  const app = { address: SERVER_APP, port: UDP_PORT };
  new MemoryNetwork(scene.wire, SERVER_APP).openDatagramPort(
    { bind: app },
    {
      onDatagram: (payload, port, address) => void scene.wire.inject(app, { address, port }, payload),
      onError() {},
    },
  );
  for (const address of [LOCAL6, LOCAL4, LOCAL6])
    scene.wire.inject(source, { address, port: UDP_PORT }, utf8(address));
  await scene.clock.settle();
  expect(answers.toSorted()).toEqual(
    [LOCAL6, LOCAL6, LOCAL4].map((address) => `${address} from ${address}/${UDP_PORT}`).toSorted(),
  );
  expect(client.stats().sessions).toBe(2);
  await scene.end();
});

describe("a client in per-source mode on a wildcard address, where local addresses are unknown,", () => {
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

  test("reports that answers may leave from another of several addresses", async () => {
    const udp = { address: "0.0.0.0", port: UDP_PORT };
    const event = { type: "local address unknown", udp, addresses: [SERVER, LOCAL4] } as const;
    expect(await listening("0.0.0.0", [LOCAL6, LOCAL4, "127.0.0.1", "::1", "fe80::1"])).toEqual([event]);
    expect(describeEvent(event, (key) => key)).toContain(`such as ${SERVER}/${UDP_PORT}`);
    expect(await listening("[::]", [LOCAL6])).toMatchObject([{ addresses: [SERVER, LOCAL6] }]);
  });

  test("reports nothing with a single address", async () => {
    expect(await listening("0.0.0.0", [LOCAL6, "127.0.0.1"])).toEqual([]);
    expect(await listening("[::]", ["::1", "127.0.0.1", "fe80::1"])).toEqual([]);
    expect(await listening(SERVER, [LOCAL4])).toEqual([]);
  });
});
