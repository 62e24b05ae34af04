/** The stream transport with authentication, without a tunnel. */

import { expect, test } from "bun:test";
import { AuthenticatedTransport } from "../../src/auth/authenticated-transport.ts";
import type { StreamPort } from "../../src/net/stream-port.ts";
import { secretOf } from "../options/secret-of.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";
import { CLIENT, SERVER, TCP_PORT } from "../support/memory-tunnels.ts";
import { responseTo, secret } from "./raw-clients.ts";

test("the transport passes on the underlying streams", async () => {
  const wire = new MemoryWire();
  const transport = (address: string) =>
    new AuthenticatedTransport(new MemoryNetwork(wire, address), {
      clock: wire.clock,
      secret: secretOf(secret),
      onAuthFailed() {},
    });
  const accepted: StreamPort[] = [];
  transport(SERVER).listen({ port: TCP_PORT }, (stream) => accepted.push(stream));
  const dial = transport(CLIENT).dial({ address: SERVER, port: TCP_PORT });
  await wire.clock.settle();
  expect([await dial.stream, accepted[0]]).toEqual([
    wire.streams[0]?.[0],
    wire.streams[0]?.[1],
  ] as StreamPort[]);
  expect(await dial.stream).toBe(wire.streams[0]?.[0] as StreamPort);
  expect(accepted[0]).toBe(wire.streams[0]?.[1] as StreamPort);
  expect(wire.clock.pending).toBe(0);
});

test("a quarter of the open files is for pending connections, and the rest for authenticated ones", () => {
  const plain = new MemoryNetwork(new MemoryWire(), SERVER);
  const limitOf = (limit: number) => {
    plain.descriptorLimit = () => limit;
    const authentication = { clock: plain.clock, secret: secretOf(secret), onAuthFailed() {} };
    return new AuthenticatedTransport(plain, authentication).descriptorLimit();
  };
  expect([64, 1024, 65_536, Infinity].map(limitOf)).toEqual([48, 768, 65_280, Infinity]);
});

test("closing a listener closes only its own pending connections", async () => {
  const wire = new MemoryWire();
  const { clock } = wire;
  const authentication = { clock, secret: secretOf(secret), onAuthFailed() {} };
  const server = new AuthenticatedTransport(new MemoryNetwork(wire, SERVER), authentication);
  const authenticated: number[] = [];
  const listeners = [4000, 4001].map((port) => server.listen({ port }, () => void authenticated.push(port)));
  const connections = [4000, 4001].map((port) => {
    const observed = { chunks: [] as Uint8Array[], closed: false };
    const receiver = {
      onChunk: (chunk: Uint8Array) => void observed.chunks.push(chunk),
      onDrain() {},
      onEnd() {},
      onClose: () => void Object.assign(observed, { closed: true }),
    };
    const { stream } = new MemoryNetwork(wire, CLIENT).dial({ address: SERVER, port });
    void stream.then((connected) => connected.receive(receiver));
    return { observed, stream };
  });
  await clock.settle();
  listeners[0]?.close();
  await clock.settle();
  expect(connections.map(({ observed }) => observed.closed)).toEqual([true, false]);
  const [challenge = new Uint8Array()] = connections[1]?.observed.chunks ?? [];
  (await connections[1]?.stream)?.write(responseTo(challenge));
  await clock.settle();
  expect(authenticated).toEqual([4001]);
  listeners[1]?.close();
  expect(clock.pending).toBe(0);
});
