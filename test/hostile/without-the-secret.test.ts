/** Clients that do not know the secret cannot do anything to a server that its user notices. */

import { describe, expect, test } from "bun:test";
import { ClientHandshake } from "../../src/auth/handshake.ts";
import { secretOf } from "../options/secret-of.ts";
import { openFiles } from "../support/process-figures.ts";
import { until } from "../support/until.ts";
import { ManyClients, type RawClient } from "./many-clients.ts";
import { QuietTunnel } from "./quiet-tunnel.ts";

const secret = "known-to-both-ends";
const WAITING_PER_ADDRESS = 64;
const CHALLENGE_BYTES = 40;

/** Waits for the challenge, and sends the response of a client with this secret. */
async function respond(client: RawClient, knows: string, nonce = 7): Promise<Uint8Array> {
  await until("the challenge", () => client.read().length >= CHALLENGE_BYTES);
  const handshake = new ClientHandshake(secretOf(knows), new Uint8Array(32).fill(nonce), undefined);
  const step = handshake.take(new Uint8Array(client.read()));
  if (step.state !== "incomplete" || step.send === undefined) throw new Error(step.state);
  client.socket.write(step.send);
  return step.send;
}

const noise = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).fill(0, 0, 1);

describe.each([
  ["peer mode", {}],
  ["-p", { perSource: true }],
])("beside a quiet tunnel in %s", (_mode, options) => {
  const both = { secret, ...options };

  test("2,000 idle connections: the oldest are evicted, new clients are accepted, and all descriptors are released", async () => {
    await using quiet = await QuietTunnel.open(both);
    const files = openFiles();
    await using clients = new ManyClients(quiet.port);
    await clients.connect(2000);
    const { authFailures } = quiet.server.counters;
    await until("the oldest to be evicted", () => authFailures.evicted === 2000 - WAITING_PER_ADDRESS);
    await until("their connections to close", () => clients.closed === 2000 - WAITING_PER_ADDRESS);
    await quiet.expectUnharmed();
    expect(openFiles()).toBeLessThanOrEqual(files + 2 * WAITING_PER_ADDRESS);
    if ("perSource" in options) {
      const [pending] = await clients.connect(1);
      await respond(pending as RawClient, secret);
      await until("it to be authenticated", () => quiet.server.counters.connects === 2);
    }
    await clients.close();
    await until("the files to be closed", () => openFiles() <= files);
    expect(quiet.server.counters.rejectedConnections).toBe(2000);
  });

  test("garbage instead of the proof, floods, wrong secrets: each is counted and gets no answer", async () => {
    await using quiet = await QuietTunnel.open(both);
    const files = openFiles();
    const { authFailures } = quiet.server.counters;
    {
      await using clients = new ManyClients(quiet.port, "127.0.0.31");
      for (const { socket } of await clients.connect(60)) socket.write(noise(65_536));
      await until("the garbage to be detected", () => authFailures["no handshake"] === 60);
      await quiet.expectUnharmed();
      expect(clients.closed).toBe(0);
      for (const { read } of clients.clients) expect(read().length).toBe(CHALLENGE_BYTES);
    }
    {
      await using clients = new ManyClients(quiet.port, "127.0.0.32");
      for (const client of await clients.connect(60)) await respond(client, "known-to-another-client");
      await until("the proofs to be checked", () => authFailures["invalid proof"] === 60);
      await quiet.expectUnharmed();
      for (const { read } of clients.clients) expect(read().length).toBe(CHALLENGE_BYTES);
    }
    for (let round = 0; round < 10; round++) {
      await using flood = new ManyClients(quiet.port, "127.0.0.33");
      await flood.connect(200);
    }
    await quiet.expectUnharmed();
    await until("the files to be closed", () => openFiles() <= files);
    const sum = Object.values(authFailures).reduce((a, b) => a + b);
    expect(sum).toBe(quiet.server.counters.rejectedConnections);
    expect(sum).toBe(60 + 60 + 2000);
  });

  test("a recorded handshake, and a challenge that is sent back, are rejected", async () => {
    await using quiet = await QuietTunnel.open(both);
    await using clients = new ManyClients(quiet.port, "127.0.0.34");
    const [first, second, third] = (await clients.connect(3)) as [RawClient, RawClient, RawClient];
    const { authFailures, connects } = quiet.server.counters;
    const recorded = new ClientHandshake(secretOf(secret), new Uint8Array(32).fill(9), undefined);
    await until("the challenge", () => first.read().length >= CHALLENGE_BYTES);
    const step = recorded.take(new Uint8Array(first.read()));
    second.socket.write((step.state === "incomplete" && step.send) || noise(1));
    await until("the replay to be checked", () => authFailures["invalid proof"] === 1);
    await until("the challenge", () => third.read().length >= CHALLENGE_BYTES);
    third.socket.write(new Uint8Array([...third.read(), ...third.read().subarray(8)]));
    await until("the reflection to be checked", () => authFailures["invalid proof"] === 2);
    await quiet.expectUnharmed();
    expect(quiet.server.counters.connects).toBe(connects);
    for (const { read } of [second, third]) expect(read().length).toBe(CHALLENGE_BYTES);
  });
});

test("garbage after the proof does not harm other sessions", async () => {
  await using quiet = await QuietTunnel.open({ secret, perSource: true });
  const files = openFiles();
  {
    await using clients = new ManyClients(quiet.port);
    for (const client of await clients.connect(20)) {
      await respond(client, secret);
      await until("the confirmation", () => client.read().length >= CHALLENGE_BYTES + 32);
      client.socket.write(Uint8Array.of(0xff, 0xff, ...noise(30_000))); // a frame that is never complete
    }
    await quiet.expectUnharmed();
  }
  await until("the files to be closed", () => openFiles() <= files);
});
