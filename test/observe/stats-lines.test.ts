import { expect, test } from "bun:test";
import { atStart, statusLine, statusLines, summaryLine } from "../../src/observe/stats-lines.ts";
import { CLIENT, Scene } from "../support/memory-tunnels.ts";

test("the status has rates since the last sample, and the summary has totals", async () => {
  const scene = new Scene();
  const { client, clientApp } = await scene.pair();
  const first = client.tunnel.stats();
  for (let count = 0; count < 10; count++) clientApp.send(CLIENT, new Uint8Array(1000));
  await scene.clock.advance(2000);
  scene.wire.inject({ address: "10.0.9.1", port: 1 }, { address: CLIENT, port: 5000 }, new Uint8Array(1000));
  const now = client.tunnel.stats();
  expect(statusLines(now, first)).toEqual([
    "connected to 10.0.0.1:4000, up 0:00:02",
    "out 6/s 0.04 Mbit/s, queue 0 B, delay 0.0 ms, 99% up to 0.1 ms",
    "in 0/s 0.00 Mbit/s",
    "dropped out 1 (1 wrong source); in 0",
  ]);
  expect(statusLine(now, now)).toContain("; out 0/s 0.00 Mbit/s, queue 0 B, delay none; ");
  expect(statusLines(now, atStart(now))).toEqual(statusLines(now, first));
  expect(summaryLine(now)).toBe(
    "ran 0:00:02, 1 connection; out 11 received, 10 sent, 1 (1 wrong source) dropped; " +
      "in 0 received, 0 sent, 0 dropped",
  );
  await scene.end();
});

test("a summary has the number of rejected connections and the reasons of failed handshakes", async () => {
  const scene = new Scene();
  const { tunnel } = await scene.server({ secret: "known-to-both-ends", allow: "10.0.0.0/8" });
  for (const from of ["10.0.9.1", "10.0.9.2", "192.0.2.1"]) (await scene.connect(from)).stream.terminate();
  await scene.clock.settle();
  expect(summaryLine(tunnel.stats())).toStartWith(
    "ran 0:00:00, 0 connections, 3 rejected (2 closed by peer); out",
  );
  await scene.end();
});

test("the status has delays, the round trip time, sessions and drops in the kernel", async () => {
  const scene = new Scene();
  const { client } = await scene.pair();
  const first = client.tunnel.stats();
  for (let count = 0; count < 99; count++) client.tunnel.counters.delay.record(3);
  client.tunnel.counters.delay.record(4000);
  const stream = { local: { address: "a", port: 1 }, remote: { address: "b", port: 2 } };
  const streams = [
    { ...stream, rttMs: 3 },
    { ...stream, rttMs: 12.34 },
  ];
  const now = {
    ...client.tunnel.stats(),
    streams,
    sessions: 2,
    kernelDrops: 7,
    queueBytes: 2048,
    uptimeMs: 3_723_000,
  };
  const [line0, line1, , line3] = statusLines(now, first);
  expect(line0).toBe("connected, up 1:02:03, round trip 12.3 ms, 2 sessions");
  expect(line1).toEndWith("queue 2.0 KiB, delay 43.0 ms, 99% up to 5 ms");
  expect(line3).toEndWith("; in the kernel 7");
  client.tunnel.counters.delay.record(4000);
  expect(statusLines({ ...now, delay: client.tunnel.stats().delay }, first)[1]).toEndWith("99% over 1000 ms");
  await scene.end();
});
