/** Many sessions between processes on loopback. */

import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ignoreShort } from "../../../bench/e2e/short-filter.ts";
import { freePort } from "../../../scripts/free-ports.ts";
import { RunningProgram } from "../../../scripts/running-program.ts";
import { startClient, startServer } from "../../../src/index.ts";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import { libc, noLibc } from "../../net/linux/open-libc.ts";
import { cpuSeconds, openFiles } from "../../support/process-figures.ts";
import { until } from "../../support/until.ts";
import { openEcho, Programs, Requester } from "./programs.ts";

/** Sources that send at once. More would overflow the echo's socket, which is not under test. */
const BATCH = 50;
const MIB = 1024 * 1024;

async function requestAll(requesters: readonly Requester[], question: (n: number) => string): Promise<void> {
  for (let from = 0; from < requesters.length; from += BATCH) {
    const batch = requesters.slice(from, from + BATCH);
    await Promise.all(batch.map((requester, n) => requester.request(question(from + n))));
  }
}

test("500 concurrent sources receive their own answers and no others", async () => {
  const echo = await openEcho();
  await using programs = await Programs.start(echo.port);
  using stack = new DisposableStack();
  stack.defer(() => echo.close());
  const requesters = Array.from({ length: 500 }, () => stack.use(new Requester(programs.udpPort)));
  const rounds = [1, 2, 3];
  for (const round of rounds) await requestAll(requesters, (n) => `${n} in round ${round}`);
  for (const [n, requester] of requesters.entries())
    expect(requester.answers).toEqual(rounds.map((round) => `${n} in round ${round}`));
});

test("after 2,000 short sessions, open files and memory are as before", async () => {
  const echo = await openEcho();
  using _echo = { [Symbol.dispose]: () => echo.close() };
  // Without an age limit, a busy machine drops no datagram.
  const limits = { perSource: true, idleTimeoutMs: 500, maxDelayMs: 0 } as const;
  await using server = await startServer({
    ...limits,
    listen: `127.0.0.1/${await freePort()}`,
    target: `127.0.0.1/${echo.port}`,
  });
  await using client = await startClient({
    ...limits,
    connect: `127.0.0.1/${server.tcp[0]?.port}`,
    target: "127.0.0.1/0",
  });
  const port = client.udp[0]?.port ?? 0;
  const idle = openFiles();
  const run = async (sessions: number) => {
    for (const until = server.counters.connects + sessions; server.counters.connects < until; ) {
      using stack = new DisposableStack();
      const requesters = Array.from({ length: BATCH }, () => stack.use(new Requester(port)));
      await requestAll(requesters, (n) => `${n}`);
    }
    // A leaked descriptor makes this wait until the test times out.
    while (openFiles() > idle) await Bun.sleep(20);
  };
  await run(500); // the heap reaches its working size
  const before = heapBytes();
  await run(2000);
  // 2,000 leaked sessions would be 10 MB or more. Objects that a stack still refers to by chance are
  // collected later.
  await until("the heap has its former size", () => heapBytes() - before < 2 * MIB);
});

function heapBytes(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

test("a quiet session receives all its answers next to a stalled reader and a flood", async () => {
  await using target = new RunningProgram([
    process.execPath,
    new URL("flooding-target.ts", import.meta.url).pathname,
  ]);
  const port = Number((await target.said(/^port/)).split(" ")[1]);
  await using programs = await Programs.start(port);
  using quiet = new Requester(programs.udpPort);
  using flooded = new Requester(programs.udpPort);
  flooded.send("f");
  const stalled = await openStalledReader(programs.tcpPort);
  while (flooded.answers.length < 1000) await Bun.sleep(5);
  const before = flooded.answers.length;
  const questions = Array.from({ length: 200 }, (_, number) => `q${number}`);
  for (const question of questions) await quiet.request(question);
  stalled.destroy();
  expect(quiet.answers).toEqual(questions);
  expect(flooded.answers.length).toBeGreaterThan(before);
});

test.skipIf(noLibc)(
  "a quiet session receives every answer while 50 connections flood the server",
  async () => {
    const QUESTIONS = 300;
    const question = (n: number) => `question ${n}`.padEnd(64);
    const echo = await openEcho();
    using _echo = { [Symbol.dispose]: () => echo.close() };
    ignoreShort(libc, fdOf(echo), 64); // drops the flood
    await using programs = await Programs.start(echo.port, { server: ["--max-sessions-per-address", "100"] });
    using quiet = new Requester(programs.udpPort);
    await quiet.request(question(0));
    const peers = new URL("../../../bench/e2e/flooding-peers-program.ts", import.meta.url).pathname;
    await using flood = new RunningProgram([process.execPath, peers, `${programs.tcpPort}`, "50"]);
    await flood.said(/flooding/);
    for (let n = 1; n <= QUESTIONS; n++) await quiet.request(question(n));
    expect(quiet.answers).toEqual(Array.from({ length: QUESTIONS + 1 }, (_, n) => question(n)));
  },
  60_000,
);

/** A TCP client that makes the target flood it, and reads nothing. */
async function openStalledReader(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  await once(socket, "connect");
  socket.pause();
  socket.write(Buffer.from("\0\x01f", "latin1"));
  return socket;
}

describe("with a low limit of open files", () => {
  test("the server warns, rejects the sessions beyond it, and does not spin", async () => {
    const echo = await openEcho();
    await using programs = await Programs.start(echo.port, {
      serverPrefix: ["prlimit", "--nofile=128", "--"],
    });
    using _echo = { [Symbol.dispose]: () => echo.close() };
    const warning = await programs.server.said(/open files/);
    expect(warning).toContain("the limit of 128 open files allows 32 sessions, not 8192");
    using stack = new DisposableStack();
    const requesters = Array.from({ length: 100 }, () => stack.use(new Requester(programs.udpPort)));
    for (const requester of requesters) requester.send("hello");
    while (requesters.filter(({ answers }) => answers.length > 0).length < 32) await Bun.sleep(5);
    await programs.server.said(/all 32 sessions are in use/);
    const { pid } = programs.server;
    expect(openFiles(pid)).toBeLessThan(128);
    const before = cpuSeconds(pid);
    await Bun.sleep(1000); // the measured interval
    expect(cpuSeconds(pid) - before).toBeLessThan(0.3);
    expect(requesters.filter(({ answers }) => answers.length > 0)).toHaveLength(32);
  });
});
