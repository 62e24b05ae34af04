import { expect } from "bun:test";
import { FrameDecoder } from "../../../src/index.ts";
import { freeTcpPort } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { frames } from "../../support/text.ts";
import { until } from "../../support/until.ts";
import { OpensslPeer } from "./openssl-peer.ts";
import { failureOf, TlsScene } from "./tls-scene.ts";

const testTls = testNeeding("openssl");
const VERSIONS = ["-tls1_2", "-tls1_3"] as const;
const ALPN = ["-alpn", "udptunnel"];

for (const version of VERSIONS) {
  testTls(`openssl s_client ${version} relays frames both ways as a client`, async () => {
    await using scene = new TlsScene();
    const there = await scene.server({ clientCa: scene.authority.cert });
    const { cert, key } = scene.certificates.issue(scene.authority, { name: "alice" });
    const trust = ["-CAfile", scene.authority.cert, "-verify_return_error", "-verify_ip", "127.0.0.1"];
    const quiet = ["-quiet", "-cert", cert, "-key", key, version, ...ALPN];
    await using client = OpensslPeer.client(there.tcp, ...trust, ...quiet);
    client.write(frames("from openssl"));
    await there.app.receives("from openssl");
    there.app.send("to openssl");
    await until("the answer", () => textsOf(client).includes("to openssl"));
  });

  testTls(`openssl s_server ${version} relays frames both ways as a server`, async () => {
    await using scene = new TlsScene();
    const asks = ["-quiet", "-Verify", "1", "-CAfile", scene.authority.cert, "-verify_return_error"];
    await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, version, ...asks, ...ALPN);
    const own = scene.certificates.issue(scene.authority, { name: "alice" });
    const here = await scene.client(server.port, { ca: scene.authority.cert, ...own });
    await until("the connection", () => here.tunnel.counters.connects === 1);
    here.app.send("to openssl");
    await until("the datagram", () => textsOf(server).includes("to openssl"));
    server.write(frames("from openssl"));
    await here.app.receives("from openssl");
  });
}

testTls("openssl reports the ALPN protocol, TLS 1.3 and a verified chain", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  await using client = OpensslPeer.client(there.tcp, "-CAfile", scene.authority.cert, ...ALPN);
  await until("the report", () => client.bytes.includes("Verify return code"));
  const report = client.bytes.toString();
  expect(report).toContain("ALPN protocol: udptunnel");
  expect(report).toContain("TLSv1.3");
  expect(report).toContain("Verify return code: 0 (ok)");
});

testTls("a client with another ALPN protocol is rejected", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  await using client = OpensslPeer.client(there.tcp, "-alpn", "h2");
  expect(await client.exited()).not.toBe(0);
  expect((await failureOf(there, "handshake failed")).code).toBe("TLS_ALPN");
});

testTls("the client sends the name of --sni", async () => {
  await using scene = new TlsScene();
  const named = scene.certificates.issue(scene.authority, { name: "relay.example" });
  const second = ["-servername", "relay.example", "-cert2", named.cert, "-key2", named.key];
  await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, ...second);
  // s_server sends the second certificate only for this name.
  const here = await scene.client(server.port, { ca: scene.authority.cert, sni: "relay.example" });
  await until("the connection", () => here.tunnel.counters.connects === 1);
});

testTls("renegotiation requested by a server is refused", async () => {
  await using scene = new TlsScene();
  await using server = await OpensslPeer.server(freeTcpPort(), scene.identity, "-tls1_2");
  const here = await scene.client(server.port);
  await until("the connection", () => here.tunnel.counters.connects === 1);
  server.write("r\n"); // s_server(1), connected commands: renegotiate
  await failureOf(here, "disconnected");
});

/** The payloads of the frames that the peer has received. */
function textsOf(peer: OpensslPeer): string[] {
  const decoder = new FrameDecoder();
  decoder.push(new Uint8Array(peer.bytes));
  const texts: string[] = [];
  while (decoder.next()) {
    texts.push(new TextDecoder().decode(decoder.bytes.slice(decoder.start, decoder.start + decoder.length)));
  }
  return texts;
}
