import { expect } from "bun:test";
import { encodeFrame, startServer } from "../../../src/index.ts";
import { HANDSHAKES_PER_PREFIX_MAX } from "../../../src/net/bun/tls-accept.ts";
import { pinOf } from "../../support/certificates.ts";
import { connectRaw, freeTcpPort, freeUdpPort, type RawStream, TUNNEL_HOST } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { frames } from "../../support/text.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";
import { MiddleMan } from "./middle-man.ts";
import { OpensslPeer } from "./openssl-peer.ts";
import { arrives, type End, failureOf, TlsScene } from "./tls-scene.ts";

const testTls = testNeeding("openssl");

/** The start of a record with a ClientHello of 512 bytes (RFC 8446, section 5.1), followed by zeros. */
const HELLO_BEGUN = Buffer.concat([Buffer.from("1603010200010001fc0303", "hex"), Buffer.alloc(20)]);

const GARBAGE: readonly (readonly [what: string, bytes: Uint8Array, code: string])[] = [
  ["a frame from a client without TLS", frames("hello"), "TLS_NOT_TLS"],
  ["a web browser", Buffer.from("GET / HTTP/1.1\r\nHost: relay\r\n\r\n"), "TLS_NOT_TLS"],
  ["a record longer than the maximum", Buffer.from("160301ffff", "hex"), "TLS_PROTOCOL"],
  ["a handshake of zeros", Buffer.concat([HELLO_BEGUN, Buffer.alloc(512)]), "TLS_PROTOCOL"],
  ["application data before the handshake", Buffer.from("1703030005hello", "latin1"), "TLS_NOT_TLS"],
];

for (const [what, bytes, code] of GARBAGE) {
  testTls(`a server receives ${what}`, async () => {
    await using scene = new TlsScene();
    const there = await scene.server();
    const here = await scene.client(there.tcp);
    await arrives(here, there, "before");
    using other = await connectRaw(there.tcp);
    other.socket.write(bytes);
    expect((await failureOf(there, "handshake failed")).code).toBe(code);
    await until("the end", () => other.state.ended || other.state.closed);
    await arrives(here, there, "after");
    const { failedHandshakes, rejectedConnections, connects } = there.tunnel.stats();
    expect({ failedHandshakes, rejectedConnections, connects }).toMatchObject({
      failedHandshakes: { [code]: 1, TLS_TIMEOUT: 0 },
      rejectedConnections: 1,
      connects: 1,
    });
    expect(there.tunnel.counters.inbound.received).toBe(there.app.received.length);
  });
}

for (const mode of [{}, { perSource: true }]) {
  testTls(
    `an address that is not allowed is reset before the handshake, ${JSON.stringify(mode)}`,
    async () => {
      await using scene = new TlsScene();
      const there = await scene.server({ ...mode, allow: "192.0.2.0/24" });
      using other = await connectRaw(there.tcp);
      await until("it to be rejected", () => other.state.closed || other.state.ended);
      await scene.client(there.tcp);
      await until("a client to be rejected", () => there.tunnel.counters.rejectedConnections >= 2);
      const { rejectedConnections, failedHandshakes } = there.tunnel.stats();
      const reported = there.events.filter(({ type }) => type !== "listening" && type !== "socket settings");
      expect(Object.values(failedHandshakes).every((count) => count === 0)).toBeTrue();
      expect(reported).toHaveLength(rejectedConnections);
      expect(reported[0]).toMatchObject({ type: "connection rejected", reason: "address not allowed" });
    },
  );
}

testTls("a dial to a server without TLS fails as TLS_NOT_TLS", async () => {
  await using scene = new TlsScene();
  using talker = Bun.listen({
    hostname: TUNNEL_HOST,
    port: 0,
    socket: { open: (socket) => void socket.write(encodeFrame(new Uint8Array(5))), data() {} },
  });
  const here = await scene.client(talker.port);
  expect(await failureOf(here, "dial failed")).toMatchObject({
    code: "TLS_NOT_TLS",
    message: `cannot connect to ${TUNNEL_HOST}:${talker.port}: the server does not use TLS`,
  });
});

testTls("TLS 1.1 is rejected at either end", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  const old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
  await using client = OpensslPeer.client(there.tcp, ...old);
  expect((await failureOf(there, "handshake failed")).code).toBe("TLS_VERSION");
  expect(await client.exited()).not.toBe(0);
  await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, ...old);
  const here = await scene.client(server.port);
  expect((await failureOf(here, "dial failed")).code).toBe("TLS_VERSION");
});

testTls("renegotiation closes the connection, and the tunnel continues", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  await using client = OpensslPeer.client(there.tcp, "-tls1_2");
  await until("the connection", () => there.tunnel.counters.connects === 1);
  client.write("R\n"); // s_client(1), connected commands: renegotiate
  expect((await failureOf(there, "disconnected")).code).toBe("TLS_PROTOCOL");
  const here = await scene.client(there.tcp);
  await arrives(here, there, "in order");
  expect(there.app.texts.every((text) => text === "in order")).toBeTrue();
});

testTls("a connection cut without close_notify is reported, and dialled again", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  using middle = new MiddleMan(there.tcp);
  const here = await scene.client(middle.port);
  await arrives(here, there, "before");
  middle.tamper = () => "cut";
  here.app.send("cut");
  await failureOf(here, "disconnected");
  middle.tamper = (chunk) => chunk;
  await arrives(here, there, "after");
  expect(there.app.texts).not.toContain("cut");
});

testTls("a connection cut during the handshake is reported as TLS_CLOSED", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  using middle = new MiddleMan(there.tcp);
  middle.tamper = (chunk, from) => (from === "server" ? "cut" : chunk);
  const here = await scene.client(middle.port);
  expect((await failureOf(here, "dial failed")).code).toBe("TLS_CLOSED");
  expect((await failureOf(there, "handshake failed")).code).toBe("TLS_CLOSED");
});

testTls("a changed bit closes the connection, and none of the changed data is relayed", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  using middle = new MiddleMan(there.tcp);
  const here = await scene.client(middle.port);
  await arrives(here, there, "before");
  middle.tamper = (chunk, from) => (from === "client" ? flipped(chunk, chunk.length - 3) : chunk);
  here.app.send("changed");
  expect((await failureOf(there, "disconnected")).code).toBe("TLS_PROTOCOL");
  middle.tamper = (chunk) => chunk;
  await arrives(here, there, "after");
  expect(new Set(there.app.texts)).toEqual(new Set(["before", "after"]));
});

testTls("a server with the pinned certificate but without its private key is rejected", async () => {
  await using scene = new TlsScene();
  // In TLS 1.2 the server signs its part of the key exchange just before the four bytes of ServerHelloDone
  // (RFC 5246, 7.4).
  await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, "-tls1_2");
  using middle = new MiddleMan(server.port);
  const signature = (chunk: Buffer) => chunk.lastIndexOf(Buffer.from("16030300040e000000", "hex")) - 4;
  middle.tamper = (chunk, from) => (from === "server" ? flipped(chunk, signature(chunk)) : chunk);
  const here = await scene.client(middle.port, { pin: pinOf(scene.identity) });
  const failure = await failureOf(here, "dial failed");
  expect(failure).toMatchObject({ code: "TLS_PROTOCOL", message: expect.stringContaining("BAD_SIGNATURE") });
  expect(here.tunnel.counters.connects).toBe(0);
  middle.tamper = (chunk) => chunk;
  await until("the genuine server", () => here.tunnel.counters.connects === 1);
});

testTls(
  "with 300 silent connections, a tunnel relays, a new client connects, and the oldest are evicted",
  async () => {
    await using scene = new TlsScene();
    const there = await scene.server();
    const here = await scene.client(there.tcp);
    await arrives(here, there, "before");
    const idle = await Promise.all(Array.from({ length: 300 }, () => connectRaw(there.tcp)));
    try {
      await until("the evictions", () => evicted(there) >= 300 - HANDSHAKES_PER_PREFIX_MAX);
      await arrives(here, there, "during");
      await here.tunnel.close();
      const late = await scene.client(there.tcp);
      await arrives(late, there, "late");
      expect(there.warnings.filter(({ type }) => type === "handshake failed")).toHaveLength(1);
    } finally {
      for (const { socket } of idle) socket.terminate();
    }
  },
);

function evicted({ events }: End): number {
  return events.filter((event) => "code" in event && event.code === "TLS_OVERLOADED").length;
}

testTls("a handshake fails after ten seconds, at either end, even if bytes keep arriving", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  using silent = await connectRaw(there.tcp);
  using slow = await connectRaw(there.tcp);
  let next = 0;
  const dripping = setInterval(() => slow.socket.write(HELLO_BEGUN.subarray(next++, next)), 1000);
  const listen = `${TUNNEL_HOST}/0`;
  await using plain = await startServer({ listen, target: `${TUNNEL_HOST}/${await freeUdpPort()}` });
  const here = await scene.client(plain.tcp[0]?.port ?? 0);
  const began = performance.now();
  try {
    const closed = ({ state }: RawStream) => state.ended || state.closed;
    await until("both to be closed", () => closed(silent) && closed(slow), 10_000 + PATIENCE_MS);
    expect(performance.now() - began).toBeGreaterThan(8000);
    expect(await failureOf(there, "handshake failed")).toMatchObject({ code: "TLS_TIMEOUT" });
    const failure = await failureOf(here, "dial failed");
    expect(failure).toMatchObject({
      code: "TLS_TIMEOUT",
      message: expect.stringContaining("does it use TLS?"),
    });
  } finally {
    clearInterval(dripping);
  }
});

/** The bytes with one bit of one byte changed. */
function flipped(bytes: Buffer, index: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[index] = (changed[index] ?? 0) ^ 1;
  return changed;
}
