/** Generator and sink as programs, without a relay. */

import { afterAll, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import type { GeneratorReport } from "../../bench/e2e/generator.ts";
import {
  COUNTED,
  HEADER_BYTES,
  patternRing,
  readPhase,
  readSentNs,
  TAIL,
  writeHeader,
} from "../../bench/e2e/payload.ts";
import { choosePlace } from "../../bench/e2e/place.ts";
import { BenchProcess, killAll } from "../../bench/e2e/process.ts";
import type { SinkReport } from "../../bench/e2e/sink.ts";

afterAll(killAll);

const FOLDER = join(import.meta.dir, "../../bench/e2e");
const program = (name: string, ...words: string[]) =>
  new BenchProcess(name, [process.execPath, join(FOLDER, `${name}.ts`), ...words]);

async function openSink(...words: string[]) {
  const { serverPort } = await choosePlace();
  const sink = program("sink", `127.0.0.2:${serverPort}`, ...words);
  await sink.message("ready");
  return { sink, port: serverPort };
}

test("the sink finds one flipped bit in a pattern", async () => {
  const size = 100;
  const { sink, port } = await openSink();
  const socket = createSocket("udp4");
  const payload = patternRing(size).subarray(0, size);
  const view = new DataView(payload.buffer);
  const send = () => new Promise((resolve) => socket.send(payload.slice(), port, "127.0.0.2", resolve));
  writeHeader(view, 0, 0, COUNTED, 0, 1e9, size);
  await send();
  payload[HEADER_BYTES + 40] = (payload[HEADER_BYTES + 40] ?? 0) ^ 1;
  await send();
  socket.close();
  sink.signal("SIGTERM");
  expect(await sink.message<SinkReport>("report")).toMatchObject({ received: 1, corrupt: 1, duplicates: 0 });
});

for (const [name, words] of [
  ["in offload groups", ["--size", "1200", "--rate", "20000"]],
  ["without offload", ["--size", "1200", "--rate", "5000", "--plain"]],
  ["of a header only", ["--size", "24", "--rate", "20000"]],
  ["of maximum length", ["--size", "65507", "--rate", "500"]],
] as const) {
  test(`datagrams ${name} arrive unchanged and in order`, async () => {
    const { sink, port } = await openSink();
    const generator = program(
      "generator",
      `127.0.0.2:${port}`,
      "--seconds",
      "0.1",
      "--warm-up",
      "0.02",
      ...words,
    );
    const { sent } = await generator.message<GeneratorReport>("report");
    expect(sent).toBe(Number(words[3]) / 10);
    expect(await sink.message<SinkReport>("report")).toMatchObject({
      ...{ received: sent, corrupt: 0, duplicates: 0, reordered: 0, kernelDrops: 0 },
    });
  });
}

test("datagrams of a burst leave at once", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.2", resolve));
  const bursts = new Map<number, number>();
  const counted = new Promise<void>((resolve) => {
    socket.on("message", ({ buffer, byteOffset, byteLength }) => {
      const view = new DataView(buffer, byteOffset, byteLength);
      if (readPhase(view, 0) === TAIL) return resolve();
      bursts.set(readSentNs(view, 0), (bursts.get(readSentNs(view, 0)) ?? 0) + 1);
    });
  });
  const words = ["--seconds", "0.05", "--warm-up", "0", "--rate", "3200", "--burst", "32"];
  const generator = program("generator", `127.0.0.2:${socket.address().port}`, ...words);
  await counted;
  await generator.stop();
  socket.close();
  expect([...bursts.values()].reduce((sum, count) => sum + count)).toBe(160);
  expect([...bursts.values()].filter((count) => count % 32 !== 0)).toEqual([]);
});

test("every one of many sources gets its own answers", async () => {
  const { sink, port } = await openSink("--echo");
  const words = ["--seconds", "0.2", "--warm-up", "0", "--rate", "2000", "--sources", "50", "--round-trips"];
  const { answers, sent } = await program(
    "generator",
    `127.0.0.2:${port}`,
    ...words,
  ).message<GeneratorReport>("report");
  expect(answers).toMatchObject({ received: sent, sources: 50, corrupt: 0, duplicates: 0 });
  expect(await sink.message<SinkReport>("report")).toMatchObject({ received: sent, sources: 50 });
});

test("a sink prints a port that is in use", async () => {
  const holder = createSocket("udp4");
  await new Promise<void>((resolve) => holder.bind(0, "127.0.0.2", resolve));
  const at = `127.0.0.2:${holder.address().port}`;
  const sink = program("sink", at);
  expect(await sink.exited).toBe(1);
  holder.close();
  expect(sink.lastLines).toBe(`sink (status 1): cannot bind UDP ${at}: EADDRINUSE`);
});
