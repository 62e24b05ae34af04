/** What those who do not know the secret can do to a server that asks for it: nothing that its user notices. */

import { describe, expect, test } from "bun:test";
import { ClientHandshake } from "../../src/auth/handshake.ts";
import { secretOf } from "../auth/secret-of.ts";
import { until } from "../support/until.ts";
import { openFiles } from "./process-figures.ts";
import { QuietTunnel } from "./quiet-tunnel.ts";
import { type Stranger, Visitors } from "./visitors.ts";

const secret = "known-to-both-ends";
const WAITING_PER_ADDRESS = 64;
const CHALLENGE_BYTES = 40;

/** Waits for the challenge, and says what a client that knows this secret would. */
async function respond(stranger: Stranger, knows: string, nonce = 7): Promise<Uint8Array> {
  await until("the challenge", () => stranger.read().length >= CHALLENGE_BYTES);
  const handshake = new ClientHandshake(secretOf(knows), new Uint8Array(32).fill(nonce), undefined);
  const step = handshake.take(new Uint8Array(stranger.read()));
  if (step.state !== "incomplete" || step.send === undefined) throw new Error(step.state);
  stranger.socket.write(step.send);
  return step.send;
}

const noise = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).fill(0, 0, 1);

describe.each([
  ["peer mode", {}],
  ["-p", { perSource: true }],
])("beside a quiet tunnel in %s", (_mode, options) => {
  const both = { secret, ...options };

  test("2,000 idle connections: the oldest go, newcomers get in, and everything is given back", async () => {
    await using quiet = await QuietTunnel.open(both);
    const files = openFiles();
    await using visitors = new Visitors(quiet.port);
    await visitors.grow(2000);
    const { authFailures } = quiet.server.counters;
    await until("the oldest to go", () => authFailures.evicted === 2000 - WAITING_PER_ADDRESS);
    await until("them to notice", () => visitors.closed === 2000 - WAITING_PER_ADDRESS);
    await quiet.expectUnharmed();
    expect(openFiles()).toBeLessThanOrEqual(files + 2 * WAITING_PER_ADDRESS);
    if ("perSource" in options) {
      const [pending] = await visitors.grow(1);
      await respond(pending as Stranger, secret);
      await until("it to be let in", () => quiet.server.counters.connects === 2);
    }
    await visitors.leave();
    await until("the files to be closed", () => openFiles() <= files);
    expect(quiet.server.counters.rejectedConnections).toBe(2000);
  });

  test("garbage before the proof, floods, wrong secrets: each is counted and unanswered", async () => {
    await using quiet = await QuietTunnel.open(both);
    const files = openFiles();
    const { authFailures } = quiet.server.counters;
    {
      await using visitors = new Visitors(quiet.port, "127.0.0.31");
      for (const { socket } of await visitors.grow(60)) socket.write(noise(65_536));
      await until("the garbage to be known for what it is", () => authFailures["no handshake"] === 60);
      await quiet.expectUnharmed();
      expect(visitors.closed).toBe(0);
      for (const { read } of visitors.strangers) expect(read().length).toBe(CHALLENGE_BYTES);
    }
    {
      await using visitors = new Visitors(quiet.port, "127.0.0.32");
      for (const stranger of await visitors.grow(60)) await respond(stranger, "known-to-somebody-else");
      await until("the proofs to be judged", () => authFailures["invalid proof"] === 60);
      await quiet.expectUnharmed();
      for (const { read } of visitors.strangers) expect(read().length).toBe(CHALLENGE_BYTES);
    }
    for (let round = 0; round < 10; round++) {
      await using flood = new Visitors(quiet.port, "127.0.0.33");
      await flood.grow(200);
    }
    await quiet.expectUnharmed();
    await until("the files to be closed", () => openFiles() <= files);
    const sum = Object.values(authFailures).reduce((a, b) => a + b);
    expect(sum).toBe(quiet.server.counters.rejectedConnections);
    expect(sum).toBe(60 + 60 + 2000);
  });

  test("a recorded handshake, and the challenge sent back", async () => {
    await using quiet = await QuietTunnel.open(both);
    await using visitors = new Visitors(quiet.port, "127.0.0.34");
    const [first, second, third] = (await visitors.grow(3)) as [Stranger, Stranger, Stranger];
    const { authFailures, connects } = quiet.server.counters;
    const recorded = new ClientHandshake(secretOf(secret), new Uint8Array(32).fill(9), undefined);
    await until("the challenge", () => first.read().length >= CHALLENGE_BYTES);
    const step = recorded.take(new Uint8Array(first.read()));
    second.socket.write((step.state === "incomplete" && step.send) || noise(1));
    await until("the replay to be judged", () => authFailures["invalid proof"] === 1);
    await until("the challenge", () => third.read().length >= CHALLENGE_BYTES);
    third.socket.write(new Uint8Array([...third.read(), ...third.read().subarray(8)]));
    await until("the reflection to be judged", () => authFailures["invalid proof"] === 2);
    await quiet.expectUnharmed();
    expect(quiet.server.counters.connects).toBe(connects);
    for (const { read } of [second, third]) expect(read().length).toBe(CHALLENGE_BYTES);
  });
});

test("garbage after the proof harms nobody else's session", async () => {
  await using quiet = await QuietTunnel.open({ secret, perSource: true });
  const files = openFiles();
  {
    await using visitors = new Visitors(quiet.port);
    for (const stranger of await visitors.grow(20)) {
      await respond(stranger, secret);
      await until("the confirmation", () => stranger.read().length >= CHALLENGE_BYTES + 32);
      stranger.socket.write(Uint8Array.of(0xff, 0xff, ...noise(30_000))); // a frame that is never finished
    }
    await quiet.expectUnharmed();
  }
  await until("the files to be closed", () => openFiles() <= files);
});
