/**
 * Sessions that flood, and other sessions. Each reading of the clock advances it, so that handling data takes
 * time.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFrame } from "../../../src/framing/index.ts";
import type { StreamPort } from "../../../src/net/stream-port.ts";
import { TimeSlice } from "../../../src/net/time-slice.ts";
import { expectConserved } from "../../support/conservation.ts";
import type { MemoryDatagramPort } from "../../support/memory/datagram-port.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { CLIENT, SERVER, TCP_PORT } from "../../support/memory-tunnels.ts";
import { frames } from "../../support/text.ts";
import { SessionScene } from "./session-scene.ts";

const KIB = 1024;
const READING_MS = 0.05;
const IGNORED = { onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} };

class SlowScene extends SessionScene {
  constructor() {
    super();
    this.target.answers = false;
    const now = this.clock.now.bind(this.clock);
    let readings = 0;
    this.clock.now = () => now() + readings++ * READING_MS;
  }

  /** Opens connections to the server in one tick. @param first what each writes at once. */
  async connections(count: number, first = new Uint8Array(0)): Promise<StreamPort[]> {
    const network = new MemoryNetwork(this.wire, CLIENT);
    const dials = Array.from({ length: count }, () => network.dial({ address: SERVER, port: TCP_PORT }));
    const streams = dials.map(async (dial) => {
      const stream = await dial.stream;
      stream.receive(IGNORED);
      stream.write(first);
      return stream;
    });
    while (this.wire.streams.length < count) this.ticks(1);
    return await Promise.all(streams);
  }

  ticks(count: number): void {
    for (let tick = 0; tick < count; tick++) this.clock.endTick();
  }

  get sessionSockets(): MemoryDatagramPort[] {
    return [...this.wire.datagramPorts.values()].filter(({ local }) => local.address === SERVER);
  }
}

const flood = (frames: number, bytes = 8) =>
  Buffer.concat(Array.from({ length: frames }, () => encodeFrame(new Uint8Array(bytes).fill(0x2e))));

test("next to twenty floods, a datagram of a quiet session is sent within two ticks", async () => {
  const FRAMES = 20_000;
  const scene = new SlowScene();
  const { tunnel } = await scene.server();
  const slice = TimeSlice.of(scene.clock);
  const [quiet, ...flooders] = (await scene.connections(21)) as [StreamPort, ...StreamPort[]];
  for (const flooder of flooders) flooder.write(flood(FRAMES));
  const ticks: number[] = [];
  const between: number[] = [];
  for (let question = 0; question < 5; question++) {
    scene.ticks(3);
    const [tick, sent] = [slice.tick, tunnel.counters.inbound.sent];
    quiet.write(frames(`question ${question}`));
    const asked = ({ text }: { text: string }) => text === `question ${question}`;
    while (scene.target.received.findLast(asked) === undefined) scene.ticks(1);
    ticks.push(slice.tick - tick);
    between.push(tunnel.counters.inbound.sent - sent);
    expectConserved(tunnel);
  }
  expect(tunnel.held.inbound).toBeGreaterThan(10_000); // the floods had not ended
  expect(Math.max(...ticks)).toBeLessThanOrEqual(3); // one of them is the memory network's delivery
  expect(Math.max(...between)).toBeLessThan(20_000);
  await scene.clock.settle();
  expect(tunnel.counters.inbound.sent).toBe(20 * FRAMES + 5);
  await scene.end();
}, 30_000);

test("undelivered data of floods stays within the memory budget, and every session is served", async () => {
  const BUDGET = 16 * 128 * KIB;
  const scene = new SlowScene();
  Object.assign(scene.wire.streamFaults, { chunkBytesMax: 128 * KIB, bufferBytes: 256 * KIB });
  const { tunnel } = await scene.server({ queueBytesMax: 128 * KIB });
  const flooders = await scene.connections(60, flood(2500, 100));
  let most = 0;
  while (tunnel.counters.inbound.sent < flooders.length * 2499) {
    scene.ticks(1);
    most = Math.max(most, tunnel.budget.bytes);
    expect(tunnel.stats().undeliveredBytes).toBe(tunnel.budget.bytes);
  }
  expect(most).toBeGreaterThan(BUDGET / 8);
  expect(most).toBeLessThanOrEqual(BUDGET);
  await scene.clock.settle();
  expect(tunnel.budget.bytes).toBe(0);
  await scene.end();
});

test("a session that ends releases the memory of its chunks", async () => {
  const scene = new SlowScene();
  const { tunnel } = await scene.server();
  const [stream] = (await scene.connections(1)) as [StreamPort];
  stream.write(frames("opens the session"));
  await scene.clock.settle();
  for (const socket of scene.sessionSockets) socket.faults.room = 0;
  stream.write(flood(3000));
  await scene.clock.settle();
  expect(tunnel.budget.bytes).toBe(30_000);
  expect(tunnel.held.inbound).toBe(3000);
  stream.terminate();
  await scene.clock.settle();
  expect(tunnel.budget.bytes).toBe(0);
  expect(tunnel.counters.inbound.dropped["stream lost"]).toBe(3000);
  await scene.end();
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("flood"), which: fc.nat(7), frames: fc.nat(3000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("block"), which: fc.nat(7), room: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drain"), which: fc.nat(7) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("ticks"), count: fc.integer({ min: 1, max: 5 }) }) },
) as fc.Arbitrary<{ do: string; which: number; frames?: number; room?: number; count?: number }>;

test("every stream is read to its end, whichever sockets block", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(7, 5000, 1 << 19),
      async (steps, cut) => {
        const scene = new SlowScene();
        Object.assign(scene.wire.streamFaults, { chunkBytesMax: cut, bufferBytes: 1 << 22 });
        const { tunnel } = await scene.server({ queueBytesMax: 128 * KIB });
        const streams = await scene.connections(8);
        let written = 0;
        for (const { do: what, which, frames = 0, room = 0, count = 0 } of steps) {
          if (what === "ticks") scene.ticks(count);
          else if (what === "flood") {
            streams[which]?.write(flood(cut === 7 ? frames % 50 : frames, 3));
            written += cut === 7 ? frames % 50 : frames;
          } else if (what === "block") Object.assign(scene.sessionSockets[which]?.faults ?? {}, { room });
          else scene.sessionSockets[which]?.drain();
          expectConserved(tunnel);
          expect(tunnel.stats().undeliveredBytes).toBe(tunnel.budget.bytes);
        }
        for (let round = 0; round < 3; round++) {
          for (const socket of scene.sessionSockets) socket.drain();
          await scene.clock.settle();
        }
        expect(tunnel.counters.inbound).toMatchObject({ received: written, sent: written });
        expect(tunnel.budget.bytes).toBe(0);
        await scene.end();
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
