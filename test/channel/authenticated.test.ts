/** Channels with TLS and with the shared secret. The other end is a channel or a tunnel. */

import { expect, test } from "bun:test";
import {
  type DatagramChannel,
  type DialChannelOptions,
  dialChannel,
  type ListenChannelsOptions,
  listenChannels,
  type TunnelEvent,
} from "../../src/index.ts";
import { TlsScene } from "../net/tls/tls-scene.ts";
import { pinOf } from "../support/certificates.ts";
import { TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { until } from "../support/until.ts";

const testTls = testNeeding("openssl");
const secret = "known-to-both-ends";

/** Starts a server that answers each datagram with its text in upper case. Records the server's events. */
async function startEcho(options: Partial<ListenChannelsOptions>) {
  const events: TunnelEvent[] = [];
  const answer = (channel: DatagramChannel) =>
    channel.receive((datagram) => void channel.send(Buffer.from(`${Buffer.from(datagram)}`.toUpperCase())));
  const extras = { onEvent: (event: TunnelEvent) => void events.push(event) };
  const server = await listenChannels({ listen: `${TUNNEL_HOST}/0`, ...options }, answer, extras);
  const dial = (options: Omit<DialChannelOptions, "connect"> = {}, host = TUNNEL_HOST) =>
    dialChannel({ connect: `${host}/${server.tcp[0]?.port}`, maxDelayMs: 0, ...options });
  return { server, dial, events };
}

/** Sends one datagram. Returns the answer, or the code with which the channel ended. */
async function answerOf(channel: DatagramChannel): Promise<string> {
  channel.send(Buffer.from("word"));
  for await (const answer of channel) return Buffer.from(answer).toString();
  return (await channel.closed).code ?? "closed";
}

const failure = (dial: Promise<DatagramChannel>) =>
  dial.then(
    () => ({ code: "connected", cause: undefined }),
    (error: { code: string; cause: { code: string } }) => ({ code: error.code, cause: error.cause.code }),
  );

testTls("over TLS, a client trusts the server by an authority, a name or a pin", async () => {
  await using scene = new TlsScene();
  const ca = scene.authority.cert;
  const { server, dial } = await startEcho({ tls: true, ...scene.identity });
  for (const trust of [{ ca }, { pin: pinOf(scene.identity) }]) {
    await using channel = await dial({ tls: true, ...trust });
    expect(await answerOf(channel)).toBe("WORD");
  }
  await server.close();
  const named = scene.certificates.issue(scene.authority, { name: "relay.example" });
  const other = await startEcho({ tls: true, ...named });
  await using channel = await other.dial({ tls: true, ca, sni: "relay.example" });
  expect(await answerOf(channel)).toBe("WORD");
  await other.server.close();
});

testTls("over TLS, the certificate must be for the dialled name", async () => {
  await using scene = new TlsScene();
  const local = scene.certificates.issue(scene.authority, { name: "localhost" });
  const { server, dial } = await startEcho({ tls: true, ...local });
  const trust = { tls: true, ca: scene.authority.cert, family: 4 } as const;
  await using channel = await dial(trust, "localhost");
  expect(await answerOf(channel)).toBe("WORD");
  expect(await failure(dial(trust))).toEqual({ code: "ERR_DIAL", cause: "TLS_WRONG_NAME" });
  await server.close();
});

testTls(
  "over TLS, a client rejects a server that it does not trust, and the server counts that",
  async () => {
    await using scene = new TlsScene();
    const { server, dial, events } = await startEcho({ tls: true, ...scene.identity });
    const untrusted = scene.certificates.selfSigned();
    const ca = scene.authority.cert;
    const cases = [
      [{ tls: true }, "TLS_UNKNOWN_AUTHORITY"],
      [{ tls: true, pin: pinOf(untrusted) }, "TLS_WRONG_KEY"],
      [{ tls: true, ca, sni: "relay.example" }, "TLS_WRONG_NAME"],
    ] as const;
    for (const [trust, cause] of cases)
      expect(await failure(dial(trust))).toEqual({ code: "ERR_DIAL", cause });
    await until("all failures to be counted", () => server.rejectedConnections === cases.length);
    expect(Object.values(server.failedHandshakes).reduce((a, b) => a + b)).toBe(cases.length);
    expect(events.filter(({ type }) => type === "handshake failed")).toHaveLength(cases.length);
    expect(server.channels.size).toBe(0);
    await server.close();
  },
);

testTls("over mutual TLS, a client without a certificate gets no answer", async () => {
  await using scene = new TlsScene();
  const ca = scene.authority.cert;
  const { server, dial } = await startEcho({ tls: true, ...scene.identity, clientCa: ca, requireAuth: true });
  const alice = scene.certificates.issue(scene.authority, { name: "alice" });
  await using channel = await dial({ tls: true, ca, ...alice });
  expect(await answerOf(channel)).toBe("WORD");
  const anonymous = await dial({ tls: true, ca }); // with TLS 1.3 the server rejects it after the handshake
  expect(await answerOf(anonymous)).toStartWith("TLS_");
  expect(server.failedHandshakes.TLS_NO_CLIENT_CERTIFICATE).toBe(1);
  expect(server.channels.size).toBe(1);
  await server.close();
});

testTls("renewed certificates apply to new channels only", async () => {
  await using scene = new TlsScene();
  const { server, dial, events } = await startEcho({ tls: true, ...scene.identity });
  const before = { tls: true, pin: pinOf(scene.identity) };
  await using first = await dial(before);
  const renewed = scene.certificates.selfSigned();
  for (const file of ["cert", "key"] as const) await Bun.write(scene.identity[file], Bun.file(renewed[file]));
  server.reloadCertificates();
  expect(events.at(-1)).toEqual({ type: "certificates reloaded" });
  expect(await failure(dial(before))).toEqual({ code: "ERR_DIAL", cause: "TLS_WRONG_KEY" });
  expect(await answerOf(first)).toBe("WORD");
  await server.close();
});

test("with a secret, clients with another or without one are rejected and counted", async () => {
  const { server, dial } = await startEcho({ secret, requireAuth: true });
  await using channel = await dial({ secret });
  expect(await answerOf(channel)).toBe("WORD");
  const wrong = failure(dial({ secret: "known-to-another-server" }));
  await until("the proof to be rejected", () => server.authFailures["invalid proof"] === 1);
  expect(await wrong).toEqual({ code: "ERR_DIAL", cause: "EAUTH" });
  await using plain = await dial();
  plain.send(Buffer.from("no handshake"));
  await until("the frame to be rejected", () => server.authFailures["no handshake"] === 1);
  expect([server.channels.size, server.rejectedConnections]).toEqual([1, 2]);
  await server.close();
});

test("with a secret, a client rejects a server without one", async () => {
  const { server, dial } = await startEcho({});
  expect(await failure(dial({ secret }))).toEqual({ code: "ERR_DIAL", cause: "EAUTH" });
  await server.close();
});

testTls("with TLS and a secret, a channel can be either end of a tunnel", async () => {
  await using scene = new TlsScene();
  const ca = scene.authority.cert;
  const tunnelServer = await scene.server({ secret });
  await using channel = await dialChannel({
    connect: `${TUNNEL_HOST}/${tunnelServer.tcp}`,
    ...{ tls: true, ca, secret },
  });
  channel.send(Buffer.from("from a channel"));
  await until("the datagram to arrive", () => tunnelServer.app.texts.includes("from a channel"));
  const { server } = await startEcho({ tls: true, ...scene.identity, secret });
  const tunnelClient = await scene.client(server.tcp[0]?.port ?? 0, { ca, secret });
  await until("the connection", () => tunnelClient.tunnel.counters.connects === 1);
  tunnelClient.app.send("to a channel");
  await until("the answer", () => tunnelClient.app.texts.includes("TO A CHANNEL"));
  await server.close();
});

test("options that contradict each other are reported as for a tunnel", async () => {
  const problemsOf = (start: Promise<unknown>) =>
    start.catch(({ problems }) => problems.map(({ option }: { option: string }) => option));
  expect(await problemsOf(listenChannels({ listen: 0, tls: true, requireAuth: true }, () => {}))).toEqual([
    "requireAuth",
    "cert",
    "key",
  ]);
  const both = { secret, secretFile: "/dev/null" };
  expect(await problemsOf(dialChannel({ connect: "192.0.2.1/1", pin: "sha256:x", ...both }))).toEqual([
    "secretFile",
    "pin",
  ]);
});

test("a missing certificate file is ERR_TLS, and the message names the file", async () => {
  const [cert, key] = ["/nowhere/server.crt", "/nowhere/server.key"];
  const failed = await listenChannels({ listen: 0, tls: true, cert, key }, () => {}).catch((error) => error);
  expect(failed).toMatchObject({ code: "ERR_TLS", cause: { code: "ENOENT" } });
  expect(failed.message).toBe(
    "certificate file /nowhere/server.crt: there is no such file; give the path of one that exists (ENOENT)",
  );
});
