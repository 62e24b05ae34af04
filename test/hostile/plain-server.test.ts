/** A server without a secret: it accepts all clients, but only as many as do not harm the others. */

import { expect, test } from "bun:test";
import { encodeFrame } from "../../src/framing/index.ts";
import { openFiles } from "../support/process-figures.ts";
import { until } from "../support/until.ts";
import { ManyClients } from "./many-clients.ts";
import { QuietTunnel } from "./quiet-tunnel.ts";

test("peer mode: a flood of connections from another address is rejected at once", async () => {
  await using quiet = await QuietTunnel.open({});
  const files = openFiles();
  await using clients = new ManyClients(quiet.port, "127.0.0.41");
  await clients.connect(2000);
  await until("all to be rejected", () => clients.closed === 2000);
  await quiet.expectUnharmed();
  expect(quiet.server.counters.rejectedConnections).toBe(2000);
  await until("the files to be closed", () => openFiles() <= files);
});

test("peer mode: clients that connect and disconnect leave no descriptors in use", async () => {
  await using quiet = await QuietTunnel.open({});
  await quiet.client.close();
  await until("the server to be free", () => quiet.server.counters.connects === 1);
  const files = openFiles();
  for (let round = 0; round < 10; round++) {
    await using clients = new ManyClients(quiet.port, `127.0.0.${50 + round}`);
    const connected = await clients.connect(100);
    for (const { socket } of connected) socket.shutdown();
    await until("the connections to close", () => clients.closed === 100);
  }
  await until("the files to be closed", () => openFiles() <= files);
});

test("-p: idle connections with half a frame each delay no other session, and the limit applies to them", async () => {
  await using quiet = await QuietTunnel.open(
    { perSource: true },
    { maxSessions: 300, maxSessionsPerAddress: 200 },
  );
  const files = openFiles();
  {
    await using clients = new ManyClients(quiet.port, "127.0.0.61");
    for (const { socket } of await clients.connect(1000)) socket.write(Uint8Array.of(0xff));
    await until("the rest to be rejected", () => clients.closed === 800);
    expect(quiet.server.counters.rejectedConnections).toBe(800);
    for (let byte = 0; byte < 20; byte++) {
      for (const { socket, closed } of clients.clients) if (!closed()) socket.write(Uint8Array.of(byte));
      await Bun.sleep(0);
    }
    await quiet.expectUnharmed();
  }
  await until("the files to be closed", () => openFiles() <= files);
});

test("-p: garbage is relayed or dropped, and counted in both cases", async () => {
  await using quiet = await QuietTunnel.open({ perSource: true });
  await using clients = new ManyClients(quiet.port, "127.0.0.62");
  const received = () => quiet.server.counters.inbound.received;
  const before = received();
  const [first] = await clients.connect(1);
  first?.socket.write(encodeFrame(new Uint8Array(65_530))); // longer than a UDP datagram
  await until("it to be dropped", () => quiet.server.counters.inbound.dropped["too long"] === 1);
  expect(received()).toBe(before + 1);
});
