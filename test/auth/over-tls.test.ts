/** The secret over TLS: a proof is valid for one encrypted connection. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import tls from "node:tls";
import { arrives, failureOf, TlsScene } from "../net/tls/tls-scene.ts";
import { TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { until } from "../support/until.ts";

const secret = "known-to-both-ends";
const testTls = testNeeding("openssl");

testTls("two ends with the same secret relay", async () => {
  await using scene = new TlsScene();
  const server = await scene.server({ secret });
  const client = await scene.client(server.tcp, { ca: scene.authority.cert, secret });
  await arrives(client, server, "out");
  await arrives(server, client, "and back");
  expect([client.warnings, server.warnings]).toEqual([[], []]);
  server.tunnel.reloadCertificates();
  expect(server.events.at(-1)).toEqual({ type: "certificates reloaded" });
});

testTls("a proxy that has the server's key is detected", async () => {
  await using scene = new TlsScene();
  const server = await scene.server({ secret });
  const [cert, key] = [readFileSync(scene.identity.cert), readFileSync(scene.identity.key)];
  const ALPNProtocols = ["udptunnel"];
  const passed = { up: 0, down: 0 };
  const proxy = tls.createServer({ cert, key, ALPNProtocols }, (near) => {
    const ca = readFileSync(scene.authority.cert);
    const far = tls.connect({ host: TUNNEL_HOST, port: server.tcp, ca, ALPNProtocols });
    near.on("data", (chunk) => {
      passed.up += chunk.length;
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      passed.down += chunk.length;
      near.write(chunk);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => other.destroy());
    }
  });
  const listening = Promise.withResolvers<void>();
  proxy.listen(0, TUNNEL_HOST, () => listening.resolve());
  await listening.promise;
  try {
    const { port } = proxy.address() as { port: number };
    const client = await scene.client(port, { ca: scene.authority.cert, secret });
    await until("the proof to be rejected", () => server.tunnel.counters.authFailures["invalid proof"] > 0);
    expect(passed).toEqual({ up: 72, down: 40 });
    client.app.send("private");
    expect((await failureOf(client, "dial failed", 6000)).message).toContain(
      "no proxy may end TLS between them",
    );
    expect(server.app.received).toEqual([]);
    expect(passed.down).toBe(40);
  } finally {
    proxy.close();
  }
});

testTls("a client that lacks a required certificate gets a TLS error, not one about the secret", async () => {
  await using scene = new TlsScene();
  const server = await scene.server({ secret, clientCa: scene.authority.cert });
  const client = await scene.client(server.tcp, { ca: scene.authority.cert, secret });
  expect((await failureOf(client, "dial failed", 6000)).code).toStartWith("TLS_");
  expect(server.tunnel.counters.connects).toBe(0);
});
