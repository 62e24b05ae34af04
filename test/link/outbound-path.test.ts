/** A tunnel over a simulated path of limited rate: the queues stay short although more is offered. */

import { expect, test } from "bun:test";
import type { StreamGauge } from "../../src/net/stream-port.ts";
import type { MemoryStreamPort } from "../support/memory/stream-port.ts";
import { CLIENT, Scene } from "../support/memory-tunnels.ts";

const PAYLOAD_BYTES = 172;
const FRAME_BYTES = PAYLOAD_BYTES + 2;

interface Path {
  bytesPerMs: number;
  /** The least round trip time. */
  rttMs: number;
}

const IDLE: StreamGauge = {
  unackedBytes: 0,
  inFlightBytes: 0,
  outstandingBytes: 0,
  unsentBytes: 0,
  mssBytes: 1448,
  rttMs: 1,
  minRttMs: 1,
  deliveredBytes: 0,
  retransmits: 0,
};

/** A path: carries the bytes that the kernel has taken at its rate, and reports the kernel's figures. */
class Bottleneck {
  #taken = 0;
  #delivered = 0;
  #path: Path;

  constructor(path: Path, stream: MemoryStreamPort) {
    this.#path = path;
    const write = stream.write.bind(stream);
    stream.write = (bytes) => {
      const taken = write(bytes);
      if (taken > 0) this.#taken += taken;
      return taken;
    };
    stream.faults.gauge = (): StreamGauge => ({
      ...IDLE,
      unackedBytes: this.waitingBytes,
      inFlightBytes: this.waitingBytes,
      outstandingBytes: this.waitingBytes,
      rttMs: path.rttMs + this.waitingBytes / path.bytesPerMs,
      minRttMs: path.rttMs,
      deliveredBytes: this.#delivered,
    });
  }

  /** Bytes that the kernel has taken and the path has not carried yet. */
  get waitingBytes(): number {
    return this.#taken - this.#delivered;
  }

  pass(ms: number): void {
    this.#delivered = Math.min(this.#taken, this.#delivered + this.#path.bytesPerMs * ms);
  }

  get delivered(): number {
    return this.#delivered;
  }
}

/** Offers `overload` times what the path carries for `seconds`. @returns what happened in the second half. */
async function congest(path: Path, overload: number, seconds: number, maxDelayMs?: number) {
  const scene = new Scene();
  const { client, clientApp } = await scene.pair({}, maxDelayMs === undefined ? {} : { maxDelayMs });
  const bottleneck = new Bottleneck(path, scene.stream[0]);
  const payload = new Uint8Array(PAYLOAD_BYTES);
  const perMs = (path.bytesPerMs * overload) / FRAME_BYTES;
  let offered = 0;
  const queueMs: number[] = [];
  let deliveredBefore = 0;
  for (let ms = 0; ms < seconds * 1000; ms++) {
    for (; offered < ms * perMs; offered++) clientApp.send(CLIENT, payload);
    await scene.clock.advance(1);
    bottleneck.pass(1);
    if (ms === seconds * 500) deliveredBefore = bottleneck.delivered;
    if (ms > seconds * 500) queueMs.push(bottleneck.waitingBytes / path.bytesPerMs);
  }
  const used = (bottleneck.delivered - deliveredBefore) / (path.bytesPerMs * seconds * 500);
  queueMs.sort((a, b) => a - b);
  const { dropped } = client.tunnel.counters.outbound;
  const { delay } = client.tunnel.counters;
  const result = {
    used,
    pathMs: queueMs.at(-1) as number,
    dropped: { ...dropped },
    delay: [...delay.counts],
  };
  await scene.end();
  return result;
}

test("offered 1.5 times its rate, a path stays full with 20 ms of queue; the rest is dropped", async () => {
  const { used, pathMs, dropped, delay } = await congest({ bytesPerMs: 250, rttMs: 1 }, 1.5, 4);
  expect(used).toBeGreaterThan(0.97);
  expect(pathMs).toBeLessThan(30);
  expect(dropped["standing queue"]).toBeGreaterThan(100);
  expect(dropped.expired).toBe(0);
  // No datagram waited longer than 50 ms: the last five buckets of the histogram are empty.
  expect(delay.slice(-5)).toEqual([0, 0, 0, 0, 0]);
});

test("the kernel's figures are read once in 5 ms while there is room, and before each write when there is none", async () => {
  const scene = new Scene();
  const { clientApp } = await scene.pair({});
  let readings = 0;
  let unsentBytes = 0;
  let unacknowledged = 0;
  scene.stream[0].faults.gauge = () => {
    readings++;
    return { ...IDLE, unsentBytes, unackedBytes: unacknowledged, inFlightBytes: unacknowledged };
  };
  await scene.clock.advance(10);
  const offer = async (ms: number, payloadBytes = PAYLOAD_BYTES) => {
    const before = readings;
    for (let sent = 0; sent < ms; sent++) {
      clientApp.send(CLIENT, new Uint8Array(payloadBytes));
      await scene.clock.advance(1);
    }
    return readings - before;
  };
  expect(await offer(100)).toBe(20);
  expect(await offer(99, 5000)).toBe(33); // three of these fit into 16 KiB
  unsentBytes = 16_384;
  unacknowledged = 20_000;
  await scene.clock.advance(10);
  expect(await offer(100)).toBeGreaterThanOrEqual(100);
  await scene.end();
});

test("a path that carries what is offered loses nothing", async () => {
  const { dropped } = await congest({ bytesPerMs: 250, rttMs: 1 }, 0.9, 2);
  expect(Object.values(dropped).every((count) => count === 0)).toBe(true);
});

test("without a delay limit, datagrams are dropped only when the queue is full", async () => {
  const { dropped } = await congest({ bytesPerMs: 250, rttMs: 1 }, 1.5, 2, 0);
  expect(dropped["standing queue"] + dropped.expired).toBe(0);
});
