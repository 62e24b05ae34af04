/** Under random traffic and faults every datagram is counted, and no answer reaches the wrong source. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { expectConserved } from "../../support/conservation.ts";
import { CLIENT } from "../../support/memory-tunnels.ts";
import { utf8 } from "../../support/text.ts";
import { SessionScene, type Source } from "./session-scene.ts";

const SOURCES = 5;

/** One random step. `which` selects one of the current sources, connections or sockets. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), which: fc.nat(20), bytes: fc.nat(3000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat(3000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("cut" as const),
      which: fc.nat(20),
      end: fc.constantFrom(0 as const, 1 as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("half-close" as const),
      which: fc.nat(20),
      end: fc.constantFrom(0 as const, 1 as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("squeeze" as const), which: fc.nat(20), bytes: fc.nat(2000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("block" as const), which: fc.nat(20), room: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("drain" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse" as const), which: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("dials" as const),
      fault: fc.constantFrom(undefined, "ECONNREFUSED", "hang"),
    }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

class Chaos {
  readonly scene = new SessionScene();
  readonly sources: Source[] = Array.from({ length: SOURCES }, (_, n) => this.scene.source(7000 + n));
  #sent = 0;

  async apply(next: Step): Promise<void> {
    const { scene } = this;
    const { streams } = scene.wire;
    const which = "which" in next ? next.which : 0;
    const stream = streams.at(-1 - (which % Math.max(1, streams.length)));
    switch (next.do) {
      case "send":
        return this.#send(which % SOURCES, next.bytes);
      case "settle":
        return await scene.clock.settle();
      case "advance":
        return await scene.clock.advance(next.ms);
      case "cut":
        return stream?.[next.end].terminate();
      case "half-close":
        return stream?.[next.end].shutdown();
      case "squeeze":
        if (stream) for (const end of stream) end.faults.bufferBytes = next.bytes;
        return;
      case "block":
        return void Object.assign(this.#socket(which).faults, { room: next.room });
      case "refuse":
        this.#socket(which).faults.refuse = (payload) =>
          ["ECONNREFUSED", "EMSGSIZE", "EPERM"][payload.length % 5];
        return;
      case "drain":
        for (const socket of scene.wire.datagramPorts.values()) socket.drain();
        return;
      case "dials":
        return scene.breakDials(next.fault);
    }
  }

  #send(n: number, bytes: number): void {
    this.sources[n]?.send(utf8(`${n}:${this.#sent++}:`.padEnd(bytes, ".")));
  }

  /** The client's socket or one of the server's. */
  #socket(which: number) {
    const sockets = [...this.scene.wire.datagramPorts.values()].filter(({ local }) =>
      [CLIENT, "10.0.0.1"].includes(local.address),
    );
    const socket = sockets[which % sockets.length];
    if (socket === undefined) throw new Error("the client has no socket");
    return socket;
  }
}

test("each datagram is sent, dropped or held, and no answer reaches the wrong source", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      const chaos = new Chaos();
      const { scene, sources } = chaos;
      const limits = { idleTimeoutMs: 20_000, maxSessions: 4, queueBytesMax: 128 * 1024 };
      const { server, client } = await scene.both({ ...limits, maxSessionsPerAddress: 3 }, limits);
      for (const next of steps) {
        await chaos.apply(next);
        expectConserved(server.tunnel, client.tunnel);
      }
      await scene.end();
      for (const [n, source] of sources.entries())
        for (const answer of source.answers) expect(answer).toStartWith(`re ${n}:`);
      expect(client.tunnel.budget.bytes + server.tunnel.budget.bytes).toBe(0);
    }),
    { numRuns: 200 },
  );
});
