/** Dialling and listening with TLS on sockets of Bun, without a tunnel. */

import { expect } from "bun:test";
import { copyFileSync } from "node:fs";
import { dial } from "../../../src/net/bun/dial.ts";
import { listenTls } from "../../../src/net/bun/listen.ts";
import { NetError } from "../../../src/net/network.ts";
import type { StreamPort, StreamReceiver } from "../../../src/net/stream-port.ts";
import { Certificates as Files } from "../../../src/net/tls/certificates.ts";
import { Certificates } from "../../support/certificates.ts";
import { TUNNEL_HOST } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { openFiles } from "../../support/process-figures.ts";
import { PLATFORMS } from "../../support/system-sockets.ts";
import { until } from "../../support/until.ts";

const deaf: StreamReceiver = { onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} };
const here = { address: TUNNEL_HOST, port: 0 };

function noWarning(message: string): never {
  throw new Error(message);
}

for (const [platform, system] of PLATFORMS) {
  const testTls = (name: string, run: () => Promise<void>) =>
    testNeeding("openssl")(`${platform}: ${name}`, run);

  /** A listener, the streams it accepts, and the certificates of both ends. */
  function listening(made: Certificates) {
    const authority = made.authority();
    const identity = made.issue(authority, { name: TUNNEL_HOST });
    const server = new Files({ role: "server", ...identity }, noWarning);
    const client = new Files({ role: "client", ca: authority.cert }, noWarning);
    const streams: StreamPort[] = [];
    const onStream = (stream: StreamPort) => {
      stream.receive(deaf);
      streams.push(stream);
    };
    const listener = listenTls(here, onStream, { system, certificates: server });
    return { listener, streams, server, client };
  }

  testTls("both ends export the same bytes, which differ by label and by connection", async () => {
    using made = new Certificates();
    const { listener, streams, client } = listening(made);
    const first = await dial(listener.local, system, client).stream;
    const second = await dial(listener.local, system, client).stream;
    await until("both", () => streams.length === 2);
    const bytes = first.exportKeyingMaterial("EXPORTER-test", 32);
    expect(bytes).toHaveLength(32);
    expect(streams.map((stream) => stream.exportKeyingMaterial("EXPORTER-test", 32))).toContainEqual(bytes);
    expect(first.exportKeyingMaterial("EXPORTER-other", 32)).not.toEqual(bytes);
    expect(second.exportKeyingMaterial("EXPORTER-test", 32)).not.toEqual(bytes);
    if (system !== undefined) expect(first.gauge()?.mssBytes).toBeGreaterThan(500);
    listener.close();
    first.terminate();
    second.terminate();
  });

  testTls("if one listener rejects new certificates, every listener keeps the old ones", async () => {
    using made = new Certificates();
    const authority = made.authority();
    const identity = made.issue(authority, { name: TUNNEL_HOST });
    class Refused extends Files {
      left = Infinity;
      override get forServer() {
        const options = super.forServer;
        return this.left-- > 0 ? options : { ...options, cert: "refused" };
      }
    }
    const server = new Refused({ role: "server", ...identity }, () => {});
    const client = new Files({ role: "client", ca: authority.cert }, noWarning);
    const listen = () => listenTls(here, (stream) => stream.receive(deaf), { system, certificates: server });
    const listeners = [listen(), listen()];
    const untrusted = made.selfSigned({ name: TUNNEL_HOST });
    copyFileSync(untrusted.cert, identity.cert);
    copyFileSync(untrusted.key, identity.key);
    for (const left of [0, 1]) {
      server.left = left;
      expect(() => server.reload()).toThrow(NetError);
      for (const { local } of listeners) (await dial(local, system, client).stream).terminate();
    }
    server.left = Infinity;
    server.reload();
    for (const { local } of listeners)
      await expect(dial(local, system, client).stream).rejects.toThrow(/not signed by a trusted authority/);
    for (const listener of listeners) listener.close();
  });

  testTls("certificates that Bun rejects fail the dial, and no descriptor stays open", async () => {
    using made = new Certificates();
    const { listener, client } = listening(made);
    const refused = Object.defineProperty(client, "forClient", { value: () => ({ cert: "refused" }) });
    const fail = () => expect(dial(listener.local, system, refused).stream).rejects.toThrow(NetError);
    await fail();
    const before = openFiles();
    for (let times = 0; times < 20; times++) await fail();
    expect(openFiles()).toBeLessThan(before + 5);
    listener.close();
  });

  testTls(
    "a dial cancelled during the handshake never settles, and the server's connection is closed",
    async () => {
      using made = new Certificates();
      const { client } = listening(made);
      let closed = 0;
      using silent = Bun.listen({
        hostname: TUNNEL_HOST,
        port: 0,
        socket: { data() {}, close: () => void closed++ },
      });
      const attempt = dial({ address: TUNNEL_HOST, port: silent.port }, system, client);
      const settled: unknown[] = [];
      attempt.stream.then(
        (stream) => settled.push(stream),
        (error) => settled.push(error),
      );
      await until("TCP to be connected", () => attempt.tcpConnected === true);
      attempt.cancel();
      await until("the close", () => closed === 1);
      expect(settled).toEqual([]);
    },
  );

  testTls("a dial to a closed port fails with the system's error code", async () => {
    using made = new Certificates();
    const { listener, client } = listening(made);
    listener.close();
    const attempt = dial(listener.local, system, client);
    await expect(attempt.stream).rejects.toMatchObject({ name: "NetError", code: "ECONNREFUSED" });
    expect(attempt.tcpConnected).toBeFalse();
  });
}

const [, linux] = PLATFORMS[1] ?? [];
if (linux !== undefined) {
  testNeeding("openssl")(
    "connections that wait while the certificates are replaced are accepted",
    async () => {
      using made = new Certificates();
      const authority = made.authority();
      const files = made.issue(authority, { name: TUNNEL_HOST });
      const server = new Files({ role: "server", ...files }, noWarning);
      const listener = listenTls(here, (stream) => stream.receive(deaf), {
        system: linux,
        certificates: server,
      });
      const client = new Files({ role: "client", ca: authority.cert }, noWarning);
      // On loopback the kernel puts these into the listener's queue before `dial` returns.
      const dials = Array.from({ length: 10 }, () => dial(listener.local, linux, client));
      server.reload();
      for (const { stream } of dials) (await stream).terminate();
      listener.close();
    },
  );
}
