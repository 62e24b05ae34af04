/** Injects one defect into a tunnel in the memory network, and prints the effects as JSON. */

import type { StreamPort } from "../../src/net/stream-port.ts";
import type { Dial, DialTarget } from "../../src/net/stream-transport.ts";
import { Lifecycle } from "../../src/tunnel/closing.ts";
import { MemoryNetwork } from "../support/memory/network.ts";
import { Scene } from "../support/memory-tunnels.ts";
import { SessionScene } from "./session/session-scene.ts";

const uncaught: string[] = [];
const record = (error: unknown) => void uncaught.push(String(error));
process.on("uncaughtException", record);
process.on("unhandledRejection", record);

const { dial } = MemoryNetwork.prototype;

/** Replaces the result of every dial of every host. */
function replaceDials(replace: (original: Dial, to: DialTarget) => Dial): void {
  MemoryNetwork.prototype.dial = function (to) {
    return replace(dial.call(this, to), to);
  };
}

const failing = (original: Dial): Dial => ({ ...original, stream: Promise.reject(new TypeError("defect")) });

/** A stream that throws when it gets a receiver. */
const breaking = (original: Dial): Dial => ({
  ...original,
  stream: original.stream.then((stream: StreamPort) =>
    Object.assign(stream, {
      receive() {
        throw new TypeError("defect");
      },
    }),
  ),
});

const outcome = (promise: Promise<unknown>) => promise.then(() => "settled", String);

const scenarios: Record<string, () => Promise<object>> = {
  async "a peer-mode client's dial"() {
    const scene = new Scene();
    replaceDials(failing);
    const { tunnel, events } = await scene.client();
    const closed = outcome(tunnel.closed);
    await scene.clock.advance(10_000);
    return { closed: await closed, events: events.map(({ type }) => type) };
  },

  async "a dial of a client with sessions"() {
    const scene = new SessionScene();
    const { client } = await scene.both();
    const source = scene.source(6000);
    replaceDials(failing);
    source.send("lost");
    await scene.clock.settle();
    const failed = client.events.some(({ type }) => type === "dial failed");
    MemoryNetwork.prototype.dial = dial;
    const other = scene.source(6001);
    other.send("again");
    await scene.clock.settle();
    return { failed, answers: other.answers };
  },

  async "a session's new stream"() {
    const scene = new SessionScene();
    await scene.both();
    scene.source(6000).send("the server answers");
    await scene.clock.settle();
    replaceDials(breaking);
    for (let port = 7000; port < 7064; port++) scene.source(port).send("hello");
    await scene.clock.settle();
    MemoryNetwork.prototype.dial = dial;
    const other = scene.source(6001);
    other.send("again");
    await scene.clock.settle();
    return { answers: other.answers };
  },

  async "looking a target's name up again"() {
    const scene = new SessionScene();
    scene.wire.names.set("app.example", ["10.0.1.1"]);
    const { events } = await scene.server({ target: "app.example/5000", allow: "10.0.0.2" });
    await scene.connect("10.0.0.2");
    MemoryNetwork.prototype.resolve = () => Promise.reject(new TypeError("defect"));
    await scene.clock.advance(100_000);
    return { events: events.map(({ type }) => type) };
  },

  async "the end of a tunnel"() {
    const life = new Lifecycle(() => Promise.reject(new TypeError("defect")));
    const failed = new Lifecycle(() => Promise.reject(new TypeError("another")));
    const closed = [outcome(life.closed), outcome(failed.closed)];
    const ends = [outcome(life.end()), outcome(failed.end(new Error("the reason")))];
    return { closed: await Promise.all(closed), ends: await Promise.all(ends), phase: life.phase };
  },
};

const result = await scenarios[process.argv[2] as string]?.();
await Bun.sleep(0);
process.stdout.write(JSON.stringify({ ...result, uncaught }));
process.exit(0);
