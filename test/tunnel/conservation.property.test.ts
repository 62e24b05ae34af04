import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Tunnel } from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { type App, CLIENT, Scene, SERVER } from "../support/memory-tunnels.ts";

type Side = "server" | "client";
const HOST = { server: SERVER, client: CLIENT };
const side = fc.constantFrom<Side>("server", "client");
const refusal = fc.constantFrom("ECONNREFUSED", "EMSGSIZE", "ENETUNREACH", "EPERM", "ENOBUFS");
const length = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2000 }) },
  { weight: 1, arbitrary: fc.constantFrom(65_506, 65_507, 65_508, 65_527) },
);

/** One step of a scenario. */
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("send"),
      from: side,
      lengths: fc.array(length, { maxLength: 12 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("wait"), ms: fc.constantFrom(0, 1, 90, 250, 1000, 6000) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("cut"), ends: fc.constantFrom([0], [1], [0, 1]) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("terminate"), end: fc.constantFrom(0, 1) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("room"), at: side, datagrams: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("drain"),
      at: side,
      datagrams: fc.constantFrom(1, 3, Infinity),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("refuse"),
      at: side,
      code: refusal,
      every: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("pause"), end: fc.constantFrom(0, 1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("resume"), end: fc.constantFrom(0, 1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("faults"),
      chunkBytesMax: fc.constantFrom(1, 2, 3, 7, 1000, 1 << 19),
      bufferBytes: fc.constantFrom(1, 5, 100, 70_000, 1 << 20),
    }),
  },
) as fc.Arbitrary<Step>;

type Step =
  | { type: "send"; from: Side; lengths: number[] }
  | { type: "wait"; ms: number }
  | { type: "cut"; ends: (0 | 1)[] }
  | { type: "terminate" | "pause" | "resume"; end: 0 | 1 }
  | { type: "room" | "drain"; at: Side; datagrams: number }
  | { type: "refuse"; at: Side; code: string; every: number }
  | { type: "faults"; chunkBytesMax: number; bufferBytes: number };

/** Two tunnels with their programs, and the datagrams that each program has sent. */
class Scenario {
  readonly scene: Scene;
  readonly sent = { server: [] as Uint8Array[], client: [] as Uint8Array[] };
  readonly apps: Record<Side, App>;
  readonly tunnels: Record<Side, Tunnel>;
  #serial = 0;

  private constructor(scene: Scene, apps: Record<Side, App>, tunnels: Record<Side, Tunnel>) {
    this.scene = scene;
    this.apps = apps;
    this.tunnels = tunnels;
  }

  static async begin(): Promise<Scenario> {
    const scene = new Scene();
    const options = { queueBytesMax: 128 * 1024 };
    const { server, client, serverApp, clientApp } = await scene.pair(options, options);
    return new Scenario(
      scene,
      { server: serverApp, client: clientApp },
      { server: server.tunnel, client: client.tunnel },
    );
  }

  async run(step: Step): Promise<void> {
    switch (step.type) {
      case "send":
        for (const bytes of step.lengths) this.#send(step.from, bytes);
        break;
      case "wait":
        await this.scene.clock.advance(step.ms);
        break;
      case "cut":
        for (const end of step.ends) this.scene.stream[end].fail("ECONNRESET");
        break;
      case "terminate":
      case "pause":
      case "resume":
        this.scene.stream[step.end][step.type]();
        break;
      case "room":
        this.scene.udp(HOST[step.at]).faults.room = step.datagrams;
        break;
      case "drain":
        this.scene.udp(HOST[step.at]).drain(step.datagrams);
        break;
      case "refuse": {
        let count = 0;
        this.scene.udp(HOST[step.at]).faults.refuse = () =>
          ++count % step.every === 0 ? step.code : undefined;
        break;
      }
      case "faults":
        Object.assign(this.scene.wire.streamFaults, step);
        Object.assign(this.scene.stream[0].faults, step);
    }
  }

  /** Sends a datagram of this length, with unique contents where the length allows. */
  #send(from: Side, bytes: number): void {
    const serial = ++this.#serial;
    const payload = new Uint8Array(bytes).map((_, index) => (serial >> (8 * (index % 3))) + (index >> 2));
    this.sent[from].push(payload);
    this.apps[from].send(HOST[from], payload);
  }
}

/** Whether `part` has elements of `whole` only, each at most once, in the same order. */
function isSubsequence(part: readonly Uint8Array[], whole: readonly Uint8Array[]): boolean {
  let position = 0;
  return part.every((payload) => {
    while (position < whole.length && !Bun.deepEquals(whole[position], payload)) position++;
    return position++ < whole.length;
  });
}

test("no datagram is lost uncounted, changed, duplicated or reordered, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const scenario = await Scenario.begin();
      const { scene, tunnels, apps, sent } = scenario;
      for (const step of steps) {
        await scenario.run(step);
        expectConserved(tunnels.server, tunnels.client);
        await scene.clock.settle();
        expectConserved(tunnels.server, tunnels.client);
      }
      await scene.end();
      for (const [from, to] of [
        ["client", "server"],
        ["server", "client"],
      ] as const) {
        const { outbound } = tunnels[from].counters;
        const { inbound } = tunnels[to].counters;
        expect(outbound.received).toBe(sent[from].length);
        expect(inbound.sent).toBe(apps[to].received.length);
        expect(inbound.received).toBeLessThanOrEqual(outbound.sent);
        expect(isSubsequence(apps[to].received, sent[from])).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
});

test("the next datagram arrives after the faults have ended", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const scenario = await Scenario.begin();
      const { scene, apps } = scenario;
      for (const step of steps) {
        await scenario.run(step);
        await scene.clock.settle();
      }
      for (const end of scene.stream) end.fail("ECONNRESET");
      Object.assign(scene.wire.streamFaults, { chunkBytesMax: 1000, bufferBytes: 1 << 20 });
      for (const host of [SERVER, CLIENT]) {
        scene.udp(host).faults.refuse = () => undefined;
        scene.udp(host).drain();
      }
      // A connection is kept for at most 10 s, and a redial waits for at most 5 s.
      await scene.clock.advance(15_000);
      apps.client.send(CLIENT, "there");
      apps.server.send(SERVER, "back");
      await scene.clock.settle();
      expect([apps.server.texts.at(-1), apps.client.texts.at(-1)]).toEqual(["there", "back"]);
      await scene.end();
    }),
    { numRuns: 60 },
  );
});
