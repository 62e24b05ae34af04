/** Resumed TLS sessions: when a client resumes one, and which checks still hold. */

import { expect, test } from "bun:test";
import type { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync } from "node:fs";
import { dial } from "../../../src/net/bun/dial.ts";
import { listenTls } from "../../../src/net/bun/listen.ts";
import type { StreamPort } from "../../../src/net/stream-port.ts";
import { Certificates as Files, type TlsFiles } from "../../../src/net/tls/certificates.ts";
import { ResumableSession } from "../../../src/net/tls/resumable-session.ts";
import { Certificates, type Identity, pinOf } from "../../support/certificates.ts";
import { TUNNEL_HOST } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { PLATFORMS } from "../../support/system-sockets.ts";
import { until } from "../../support/until.ts";

const noWarning = (message: string): never => {
  throw new Error(message);
};

/** A server of Bun that sends a byte to each client, and notes whether the client resumed a session. */
function bunServer({ cert, key }: Identity, extra: object = {}, port = 0) {
  const resumed: boolean[] = [];
  const options = {
    hostname: TUNNEL_HOST,
    port,
    tls: { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8"), ...extra },
    socket: {
      handshake(socket: Bun.Socket<undefined>) {
        resumed.push((socket as unknown as { isSessionReused(): boolean }).isSessionReused());
        socket.write("x");
      },
      data() {},
      error() {},
    },
  };
  const listener = Bun.listen(options as unknown as Bun.TCPSocketListenOptions<undefined>);
  return {
    resumed,
    to: { address: TUNNEL_HOST, port: listener.port },
    [Symbol.dispose]: () => listener.stop(true),
  };
}

for (const [platform, system] of PLATFORMS) {
  const testTls = (name: string, run: () => Promise<void>) =>
    testNeeding("openssl")(`${platform}: ${name}`, run);

  /** Dials, waits for the server's first byte, which follows its tickets, and closes. */
  async function connect(to: { address: string; port: number; host?: string }, client: Files): Promise<void> {
    const stream: StreamPort = await dial(to, system, client).stream;
    const { promise, resolve } = Promise.withResolvers<void>();
    stream.receive({ onChunk: () => resolve(), onDrain() {}, onEnd() {}, onClose() {} });
    await promise;
    stream.terminate();
  }

  testTls("a client resumes its session, and that of the server's next process after a restart", async () => {
    using made = new Certificates();
    const identity = made.selfSigned({ name: TUNNEL_HOST });
    const client = new Files({ role: "client", ca: identity.cert }, noWarning);
    const server = bunServer(identity);
    for (let time = 0; time < 3; time++) await connect(server.to, client);
    expect(server.resumed).toEqual([false, true, true]);
    server[Symbol.dispose]();
    using next = bunServer(identity, {}, server.to.port); // it cannot decrypt the tickets of the first one
    for (let time = 0; time < 3; time++) await connect(next.to, client);
    expect(next.resumed).toEqual([false, true, true]);
  });

  testTls("a client resumes no session with another name, and none after a reload", async () => {
    using made = new Certificates();
    const identity = made.selfSigned({ name: TUNNEL_HOST });
    const client = new Files({ role: "client", ca: identity.cert }, noWarning);
    using server = bunServer(identity);
    await connect(server.to, client);
    const other = { ...server.to, host: "other.example" };
    await expect(connect(other, client)).rejects.toMatchObject({ code: "TLS_WRONG_NAME" });
    client.reload();
    await connect(server.to, client);
    expect(server.resumed).not.toContain(true);
    expect(server.resumed.length).toBeGreaterThanOrEqual(2);
  });

  testTls("a client that trusts other authorities after a reload rejects the server", async () => {
    using made = new Certificates();
    const identity = made.selfSigned({ name: TUNNEL_HOST });
    const ca = made.write("ca.pem", readFileSync(identity.cert, "utf8"));
    const client = new Files({ role: "client", ca }, noWarning);
    using server = bunServer(identity);
    await connect(server.to, client);
    copyFileSync(made.selfSigned().cert, ca);
    client.reload();
    await expect(connect(server.to, client)).rejects.toMatchObject({ code: "TLS_UNKNOWN_AUTHORITY" });
  });

  testTls("the pin is checked in a resumed session, and keying material differs", async () => {
    using made = new Certificates();
    const identity = made.selfSigned({ name: "elsewhere" });
    const client = new Files({ role: "client", pin: pinOf(identity) }, noWarning);
    using server = bunServer(identity);
    for (let time = 0; time < 2; time++) await connect(server.to, client);
    const [one, two] = [
      await dial(server.to, system, client).stream,
      await dial(server.to, system, client).stream,
    ];
    expect(one.exportKeyingMaterial("EXPORTER-test", 32)).not.toEqual(
      two.exportKeyingMaterial("EXPORTER-test", 32),
    );
    await until("all", () => server.resumed.length === 4);
    expect(server.resumed).toEqual([false, true, true, true]);
    // A session of the right server, given to a client that pins another key.
    const deceived = new Files({ role: "client", pin: pinOf(made.selfSigned()) }, noWarning);
    Object.defineProperty(deceived, "session", { value: client.session });
    await expect(connect(server.to, deceived)).rejects.toMatchObject({ code: "TLS_WRONG_KEY" });
    expect(server.resumed.at(-1)).toBeTrue();
    one.terminate();
    two.terminate();
  });

  testTls("a TLS 1.2 session is not resumed", async () => {
    using made = new Certificates();
    const identity = made.selfSigned({ name: TUNNEL_HOST });
    const client = new Files({ role: "client", ca: identity.cert }, noWarning);
    using server = bunServer(identity, { maxVersion: 0x0303 });
    for (let time = 0; time < 2; time++) await connect(server.to, client);
    expect(server.resumed).toEqual([false, false]);
  });

  testTls("a server issues tickets, except when it requires client certificates", async () => {
    using made = new Certificates();
    const authority = made.authority();
    const identity = made.issue(authority, { name: TUNNEL_HOST });
    const tickets = async (extra: Partial<TlsFiles>) => {
      const server = new Files({ role: "server", ...identity, ...extra }, noWarning);
      const streams: StreamPort[] = [];
      const onStream = (stream: StreamPort) => {
        streams.push(stream);
        stream.write(Buffer.from("x"));
      };
      const listener = listenTls({ address: TUNNEL_HOST, port: 0 }, onStream, {
        system,
        certificates: server,
      });
      const client = new Files({ role: "client", ca: authority.cert, ...made.issue(authority) }, noWarning);
      await connect(listener.local, client);
      listener.close();
      for (const stream of streams) stream.terminate();
      const { address, port } = listener.local;
      return client.session.find(`${address} ${port} undefined`, Date.now()) !== undefined;
    };
    expect(await tickets({})).toBeTrue();
    expect(await tickets({ clientCa: authority.cert })).toBeFalse();
  });
}

test("a session is used for a minute at most, and not beyond the certificate's validity", () => {
  const at = Date.parse("2030-01-01T00:00:00Z");
  const valid = (validTo: string) => ({ validTo }) as X509Certificate;
  const bytes = Buffer.from("session");
  const session = new ResumableSession();
  expect(session.find("a", at)).toBeUndefined();
  session.keep("a", bytes, valid("Jan  1 00:00:00 2031 GMT"), at);
  expect(session.find("a", at + 59_999)).toBe(bytes);
  expect(session.find("a", at + 60_000)).toBeUndefined();
  expect(session.find("a", at - 1)).toBeUndefined(); // the clock was set back
  expect(session.find("b", at)).toBeUndefined();
  session.keep("a", bytes, valid("Jan  1 00:00:10 2030 GMT"), at);
  expect(session.find("a", at + 9999)).toBe(bytes);
  expect(session.find("a", at + 10_000)).toBeUndefined();
});
