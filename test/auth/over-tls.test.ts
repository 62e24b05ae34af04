/** The secret inside TLS: the proof holds for that one encrypted connection. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import tls from "node:tls";
import { arrives, failureOf, TlsScene } from "../net/tls/tls-scene.ts";
import { TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { until } from "../support/until.ts";

const secret = "known-to-both-ends";
const testTls = testNeeding("openssl");

testTls("two ends that know it relay", async () => {
  await using scene = new TlsScene();
  const there = await scene.server({ secret });
  const here = await scene.client(there.tcp, { ca: scene.authority.cert, secret });
  await arrives(here, there, "out");
  await arrives(there, here, "and back");
  expect([here.warnings, there.warnings]).toEqual([[], []]);
  there.tunnel.reloadCertificates();
  expect(there.events.at(-1)).toEqual({ type: "certificates reloaded" });
});

testTls("who holds the server's key and stands between them is found out", async () => {
  await using scene = new TlsScene();
  const there = await scene.server({ secret });
  const [cert, key] = [readFileSync(scene.identity.cert), readFileSync(scene.identity.key)];
  const ALPNProtocols = ["udptunnel"];
  const passed = { up: 0, down: 0 };
  const between = tls.createServer({ cert, key, ALPNProtocols }, (near) => {
    const ca = readFileSync(scene.authority.cert);
    const far = tls.connect({ host: TUNNEL_HOST, port: there.tcp, ca, ALPNProtocols });
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
  between.listen(0, TUNNEL_HOST, () => listening.resolve());
  await listening.promise;
  try {
    const { port } = between.address() as { port: number };
    const here = await scene.client(port, { ca: scene.authority.cert, secret });
    await until("the proof to be judged", () => there.tunnel.counters.authFailures["invalid proof"] > 0);
    expect(passed).toEqual({ up: 72, down: 40 });
    here.app.send("private");
    expect((await failureOf(here, "dial failed", 6000)).message).toContain(
      "no proxy may end TLS between them",
    );
    expect(there.app.received).toEqual([]);
    expect(passed.down).toBe(40);
  } finally {
    between.close();
  }
});

testTls(
  "a client without the certificate that is asked for learns that, and not that the secret is wrong",
  async () => {
    await using scene = new TlsScene();
    const there = await scene.server({ secret, clientCa: scene.authority.cert });
    const here = await scene.client(there.tcp, { ca: scene.authority.cert, secret });
    expect((await failureOf(here, "dial failed", 6000)).code).toStartWith("TLS_");
    expect(there.tunnel.counters.connects).toBe(0);
  },
);
