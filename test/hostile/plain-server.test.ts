/** A server without a secret: it serves whoever comes, but not so many that it harms those it serves. */

import { expect, test } from "bun:test";
import { encodeFrame } from "../../src/framing/index.ts";
import { until } from "../support/until.ts";
import { openFiles } from "./process-figures.ts";
import { QuietTunnel } from "./quiet-tunnel.ts";
import { Visitors } from "./visitors.ts";

test("peer mode: a flood of connections from elsewhere is rejected at once", async () => {
  await using quiet = await QuietTunnel.open({});
  const files = openFiles();
  await using visitors = new Visitors(quiet.port, "127.0.0.41");
  await visitors.grow(2000);
  await until("all to be rejected", () => visitors.closed === 2000);
  await quiet.expectUnharmed();
  expect(quiet.server.counters.rejectedConnections).toBe(2000);
  await until("the files to be closed", () => openFiles() <= files);
});

test("peer mode: whoever comes and goes leaves nothing behind", async () => {
  await using quiet = await QuietTunnel.open({});
  await quiet.client.close();
  await until("the server to be free", () => quiet.server.counters.connects === 1);
  const files = openFiles();
  for (let round = 0; round < 10; round++) {
    await using visitors = new Visitors(quiet.port, `127.0.0.${50 + round}`);
    const strangers = await visitors.grow(100);
    for (const { socket } of strangers) socket.shutdown();
    await until("them to be let go", () => visitors.closed === 100);
  }
  await until("the files to be closed", () => openFiles() <= files);
});

test("-p: idle connections and half a frame each hold nobody up, and may be no more than the limit", async () => {
  await using quiet = await QuietTunnel.open(
    { perSource: true },
    { maxSessions: 300, maxSessionsPerAddress: 200 },
  );
  const files = openFiles();
  {
    await using visitors = new Visitors(quiet.port, "127.0.0.61");
    for (const { socket } of await visitors.grow(1000)) socket.write(Uint8Array.of(0xff));
    await until("the rest to be rejected", () => visitors.closed === 800);
    expect(quiet.server.counters.rejectedConnections).toBe(800);
    for (let byte = 0; byte < 20; byte++) {
      for (const { socket, closed } of visitors.strangers) if (!closed()) socket.write(Uint8Array.of(byte));
      await Bun.sleep(0);
    }
    await quiet.expectUnharmed();
  }
  await until("the files to be closed", () => openFiles() <= files);
});

test("-p: garbage is relayed or dropped, counted either way", async () => {
  await using quiet = await QuietTunnel.open({ perSource: true });
  await using visitors = new Visitors(quiet.port, "127.0.0.62");
  const received = () => quiet.server.counters.inbound.received;
  const before = received();
  const [first] = await visitors.grow(1);
  first?.socket.write(encodeFrame(new Uint8Array(65_530))); // longer than UDP can carry
  await until("it to be dropped", () => quiet.server.counters.inbound.dropped["too long"] === 1);
  expect(received()).toBe(before + 1);
});
