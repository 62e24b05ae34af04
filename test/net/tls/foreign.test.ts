import { expect } from "bun:test";
import { encodeFrame, FrameDecoder } from "../../../src/index.ts";
import { freeTcpPort } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { until } from "../../support/until.ts";
import { OpensslPeer } from "./openssl-peer.ts";
import { failureOf, TlsScene } from "./tls-scene.ts";

const testTls = testNeeding("openssl");
const VERSIONS = ["-tls1_2", "-tls1_3"] as const;
const ALPN = ["-alpn", "udptunnel"];

for (const version of VERSIONS) {
  testTls(`openssl s_client ${version} is a client of ours: frames cross both ways`, async () => {
    await using scene = new TlsScene();
    const there = await scene.server({ clientCa: scene.authority.cert });
    const { cert, key } = scene.certificates.issue(scene.authority, { name: "alice" });
    const trust = ["-CAfile", scene.authority.cert, "-verify_return_error", "-verify_ip", "127.0.0.1"];
    const quiet = ["-quiet", "-cert", cert, "-key", key, version, ...ALPN];
    await using client = OpensslPeer.client(there.tcp, ...trust, ...quiet);
    client.say(frame("from openssl"));
    await there.app.receives("from openssl");
    there.app.send("to openssl");
    await until("the answer", () => textsOf(client).includes("to openssl"));
  });

  testTls(`openssl s_server ${version} is a server of ours: frames cross both ways`, async () => {
    await using scene = new TlsScene();
    const asks = ["-quiet", "-Verify", "1", "-CAfile", scene.authority.cert, "-verify_return_error"];
    await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, version, ...asks, ...ALPN);
    const own = scene.certificates.issue(scene.authority, { name: "alice" });
    const here = await scene.client(server.port, { ca: scene.authority.cert, ...own });
    await until("the connection", () => here.tunnel.counters.connects === 1);
    here.app.send("to openssl");
    await until("the datagram", () => textsOf(server).includes("to openssl"));
    server.say(frame("from openssl"));
    await here.app.receives("from openssl");
  });
}

testTls("openssl sees the protocol's name, the newest version, and the whole chain", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  await using client = OpensslPeer.client(there.tcp, "-CAfile", scene.authority.cert, ...ALPN);
  await until("its report", () => client.bytes.includes("Verify return code"));
  const report = client.bytes.toString();
  expect(report).toContain("ALPN protocol: udptunnel");
  expect(report).toContain("TLSv1.3");
  expect(report).toContain("Verify return code: 0 (ok)");
});

testTls("another application's protocol is refused by name", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  await using client = OpensslPeer.client(there.tcp, "-alpn", "h2");
  expect(await client.exited()).not.toBe(0);
  expect((await failureOf(there, "handshake failed")).code).toBe("TLS_ALPN");
});

testTls("the server is asked for by the name of --sni", async () => {
  await using scene = new TlsScene();
  const named = scene.certificates.issue(scene.authority, { name: "relay.example" });
  const second = ["-servername", "relay.example", "-cert2", named.cert, "-key2", named.key];
  await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, ...second);
  // Only who asks for it by name is shown the second certificate.
  const here = await scene.client(server.port, { ca: scene.authority.cert, sni: "relay.example" });
  await until("the connection", () => here.tunnel.counters.connects === 1);
});

testTls("a server that asks for a new handshake does not get one", async () => {
  await using scene = new TlsScene();
  await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, "-tls1_2");
  const here = await scene.client(server.port);
  await until("the connection", () => here.tunnel.counters.connects === 1);
  server.say("r\n"); // s_server(1), connected commands: renegotiate
  await failureOf(here, "disconnected");
});

function frame(text: string): Uint8Array {
  return encodeFrame(new TextEncoder().encode(text));
}

/** The payloads of the frames it has received. */
function textsOf(peer: OpensslPeer): string[] {
  const decoder = new FrameDecoder();
  decoder.push(new Uint8Array(peer.bytes));
  const texts: string[] = [];
  while (decoder.next()) {
    texts.push(new TextDecoder().decode(decoder.bytes.slice(decoder.start, decoder.start + decoder.length)));
  }
  return texts;
}
