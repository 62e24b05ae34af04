import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Tunnel } from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { type App, CLIENT, Scene, SERVER } from "../support/memory-tunnels.ts";

// Bun does not print an error's cause, which is where the failed expectation would else stand.
fc.configureGlobal({ ...fc.readConfigureGlobal(), includeErrorInReport: true });

type Side = "server" | "client";
const HOST = { server: SERVER, client: CLIENT };
const side = fc.constantFrom<Side>("server", "client");
const refusal = fc.constantFrom("ECONNREFUSED", "EMSGSIZE", "ENETUNREACH", "EPERM", "ENOBUFS");
const length = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2000 }) },
  { weight: 1, arbitrary: fc.constantFrom(65_506, 65_507, 65_508, 65_527) },
);

/** What can happen to two tunnels, one thing after another. */
const happening = fc.oneof(
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
) as fc.Arbitrary<Happening>;

type Happening =
  | { type: "send"; from: Side; lengths: number[] }
  | { type: "wait"; ms: number }
  | { type: "cut"; ends: (0 | 1)[] }
  | { type: "terminate" | "pause" | "resume"; end: 0 | 1 }
  | { type: "room" | "drain"; at: Side; datagrams: number }
  | { type: "refuse"; at: Side; code: string; every: number }
  | { type: "faults"; chunkBytesMax: number; bufferBytes: number };

/** Two tunnels with their programs, and what each program has sent. */
class Play {
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

  static async begin(): Promise<Play> {
    const scene = new Scene();
    const options = { queueBytesMax: 128 * 1024 };
    const { server, client, serverApp, clientApp } = await scene.pair(options, options);
    return new Play(
      scene,
      { server: serverApp, client: clientApp },
      { server: server.tunnel, client: client.tunnel },
    );
  }

  async happen(what: Happening): Promise<void> {
    switch (what.type) {
      case "send":
        for (const bytes of what.lengths) this.#send(what.from, bytes);
        break;
      case "wait":
        await this.scene.clock.advance(what.ms);
        break;
      case "cut":
        for (const end of what.ends) this.scene.stream[end].fail("ECONNRESET");
        break;
      case "terminate":
      case "pause":
      case "resume":
        this.scene.stream[what.end][what.type]();
        break;
      case "room":
        this.scene.udp(HOST[what.at]).faults.room = what.datagrams;
        break;
      case "drain":
        this.scene.udp(HOST[what.at]).drain(what.datagrams);
        break;
      case "refuse": {
        let turn = 0;
        this.scene.udp(HOST[what.at]).faults.refuse = () =>
          ++turn % what.every === 0 ? what.code : undefined;
        break;
      }
      case "faults":
        Object.assign(this.scene.wire.streamFaults, what);
        Object.assign(this.scene.stream[0].faults, what);
    }
  }

  /** A datagram of this length that is like no other, as far as its length allows. */
  #send(from: Side, bytes: number): void {
    const serial = ++this.#serial;
    const payload = new Uint8Array(bytes).map((_, index) => (serial >> (8 * (index % 3))) + (index >> 2));
    this.sent[from].push(payload);
    this.apps[from].send(HOST[from], payload);
  }
}

/** Whether `part` is `whole` with nothing but omissions. */
function isSubsequence(part: readonly Uint8Array[], whole: readonly Uint8Array[]): boolean {
  let position = 0;
  return part.every((payload) => {
    while (position < whole.length && !Bun.deepEquals(whole[position], payload)) position++;
    return position++ < whole.length;
  });
}

test("whatever happens, no datagram is lost uncounted, changed, doubled or reordered", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 60 }), async (happenings) => {
      const play = await Play.begin();
      const { scene, tunnels, apps, sent } = play;
      for (const what of happenings) {
        await play.happen(what);
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

test("when the faults are over the next datagram arrives", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (happenings) => {
      const play = await Play.begin();
      const { scene, apps } = play;
      for (const what of happenings) {
        await play.happen(what);
        await scene.clock.settle();
      }
      for (const end of scene.stream) end.fail("ECONNRESET");
      Object.assign(scene.wire.streamFaults, { chunkBytesMax: 1000, bufferBytes: 1 << 20 });
      for (const host of [SERVER, CLIENT]) {
        scene.udp(host).faults.refuse = () => undefined;
        scene.udp(host).drain();
      }
      await scene.clock.advance(15_000); // the current is kept for 10 s at most, and a wait lasts 5
      apps.client.send(CLIENT, "there");
      apps.server.send(SERVER, "back");
      await scene.clock.settle();
      expect([apps.server.texts.at(-1), apps.client.texts.at(-1)]).toEqual(["there", "back"]);
      await scene.end();
    }),
    { numRuns: 60 },
  );
});
