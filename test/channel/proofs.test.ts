/** Channels with TLS and with the shared secret, among themselves and with a tunnel at the other end. */

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

/** A server that sends back what it gets, in upper case, and what it has told. */
async function echoing(options: Partial<ListenChannelsOptions>) {
  const events: TunnelEvent[] = [];
  const answer = (channel: DatagramChannel) =>
    channel.receive((datagram) => void channel.send(Buffer.from(`${Buffer.from(datagram)}`.toUpperCase())));
  const extras = { onEvent: (event: TunnelEvent) => void events.push(event) };
  const server = await listenChannels({ listen: `${TUNNEL_HOST}/0`, ...options }, answer, extras);
  const dial = (how: Omit<DialChannelOptions, "connect"> = {}, host = TUNNEL_HOST) =>
    dialChannel({ connect: `${host}/${server.tcp[0]?.port}`, maxDelayMs: 0, ...how });
  return { server, dial, events };
}

/** What comes back for one word. */
async function answerOf(channel: DatagramChannel): Promise<string> {
  channel.send(Buffer.from("asked"));
  for await (const answer of channel) return Buffer.from(answer).toString();
  return (await channel.closed).code ?? "closed";
}

const failure = (dial: Promise<DatagramChannel>) =>
  dial.then(
    () => ({ code: "connected", cause: undefined }),
    (error: { code: string; cause: { code: string } }) => ({ code: error.code, cause: error.cause.code }),
  );

testTls("over TLS: by an authority, by a name of its own, by a pin", async () => {
  await using scene = new TlsScene();
  const ca = scene.authority.cert;
  const { server, dial } = await echoing({ tls: true, ...scene.identity });
  for (const trust of [{ ca }, { pin: pinOf(scene.identity) }]) {
    await using channel = await dial({ tls: true, ...trust });
    expect(await answerOf(channel)).toBe("ASKED");
  }
  await server.close();
  const named = scene.certificates.issue(scene.authority, { name: "relay.example" });
  const other = await echoing({ tls: true, ...named });
  await using channel = await other.dial({ tls: true, ca, sni: "relay.example" });
  expect(await answerOf(channel)).toBe("ASKED");
  await other.server.close();
});

testTls("the name that was dialled is the one that the certificate must be for", async () => {
  await using scene = new TlsScene();
  const local = scene.certificates.issue(scene.authority, { name: "localhost" });
  const { server, dial } = await echoing({ tls: true, ...local });
  const trust = { tls: true, ca: scene.authority.cert, family: 4 } as const;
  await using channel = await dial(trust, "localhost");
  expect(await answerOf(channel)).toBe("ASKED");
  expect(await failure(dial(trust))).toEqual({ code: "ERR_DIAL", cause: "TLS_WRONG_NAME" });
  await server.close();
});

testTls(
  "over TLS: whom the dialling end does not trust it does not talk to, and the other counts it",
  async () => {
    await using scene = new TlsScene();
    const { server, dial, events } = await echoing({ tls: true, ...scene.identity });
    const stranger = scene.certificates.selfSigned();
    const ca = scene.authority.cert;
    const cases = [
      [{ tls: true }, "TLS_UNKNOWN_AUTHORITY"],
      [{ tls: true, pin: pinOf(stranger) }, "TLS_WRONG_KEY"],
      [{ tls: true, ca, sni: "relay.example" }, "TLS_WRONG_NAME"],
    ] as const;
    for (const [how, cause] of cases) expect(await failure(dial(how))).toEqual({ code: "ERR_DIAL", cause });
    await until("all to be counted", () => server.rejectedConnections === cases.length);
    expect(Object.values(server.failedHandshakes).reduce((a, b) => a + b)).toBe(cases.length);
    expect(events.filter(({ type }) => type === "handshake failed")).toHaveLength(cases.length);
    expect(server.channels.size).toBe(0);
    await server.close();
  },
);

testTls("over mutual TLS, a client without a certificate gets nothing", async () => {
  await using scene = new TlsScene();
  const ca = scene.authority.cert;
  const { server, dial } = await echoing({ tls: true, ...scene.identity, clientCa: ca, requireAuth: true });
  const alice = scene.certificates.issue(scene.authority, { name: "alice" });
  await using channel = await dial({ tls: true, ca, ...alice });
  expect(await answerOf(channel)).toBe("ASKED");
  const stranger = await dial({ tls: true, ca }); // with TLS 1.3 it learns afterwards
  expect(await answerOf(stranger)).toStartWith("TLS_");
  expect(server.failedHandshakes.TLS_NO_CLIENT_CERTIFICATE).toBe(1);
  expect(server.channels.size).toBe(1);
  await server.close();
});

testTls("new certificates are for the channels from then on", async () => {
  await using scene = new TlsScene();
  const { server, dial, events } = await echoing({ tls: true, ...scene.identity });
  const before = { tls: true, pin: pinOf(scene.identity) };
  await using first = await dial(before);
  const renewed = scene.certificates.selfSigned();
  for (const file of ["cert", "key"] as const) await Bun.write(scene.identity[file], Bun.file(renewed[file]));
  server.reloadCertificates();
  expect(events.at(-1)).toEqual({ type: "certificates reloaded" });
  expect(await failure(dial(before))).toEqual({ code: "ERR_DIAL", cause: "TLS_WRONG_KEY" });
  expect(await answerOf(first)).toBe("ASKED");
  await server.close();
});

test("with a secret: who knows another, or none, is let in nowhere, and counted", async () => {
  const { server, dial } = await echoing({ secret, requireAuth: true });
  await using channel = await dial({ secret });
  expect(await answerOf(channel)).toBe("ASKED");
  const wrong = failure(dial({ secret: "known-to-somebody-else" }));
  await until("the proof to be judged", () => server.authFailures["invalid proof"] === 1);
  expect(await wrong).toEqual({ code: "ERR_DIAL", cause: "EAUTH" });
  await using plain = await dial();
  plain.send(Buffer.from("let me in"));
  await until("it to be judged", () => server.authFailures["no handshake"] === 1);
  expect([server.channels.size, server.rejectedConnections]).toEqual([1, 2]);
  await server.close();
});

test("with a secret, against a server that knows none", async () => {
  const { server, dial } = await echoing({});
  expect(await failure(dial({ secret }))).toEqual({ code: "ERR_DIAL", cause: "EAUTH" });
  await server.close();
});

testTls("as the one end of a tunnel with TLS and a secret, either end", async () => {
  await using scene = new TlsScene();
  const ca = scene.authority.cert;
  const there = await scene.server({ secret });
  await using channel = await dialChannel({
    connect: `${TUNNEL_HOST}/${there.tcp}`,
    ...{ tls: true, ca, secret },
  });
  channel.send(Buffer.from("from a channel"));
  await until("it to arrive", () => there.app.texts.includes("from a channel"));
  const { server } = await echoing({ tls: true, ...scene.identity, secret });
  const here = await scene.client(server.tcp[0]?.port ?? 0, { ca, secret });
  await until("the connection", () => here.tunnel.counters.connects === 1);
  here.app.send("to a channel");
  await until("the answer", () => here.app.texts.includes("TO A CHANNEL"));
  await server.close();
});

test("what the options must be together is told as for a tunnel", async () => {
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

test("a certificate that is not there is ERR_TLS, and the option and the file are named", async () => {
  const [cert, key] = ["/nowhere/server.crt", "/nowhere/server.key"];
  const failed = await listenChannels({ listen: 0, tls: true, cert, key }, () => {}).catch((error) => error);
  expect(failed).toMatchObject({ code: "ERR_TLS", cause: { code: "ENOENT" } });
  expect(failed.message).toBe(
    "certificate file /nowhere/server.crt: there is no such file; give the path of one that exists (ENOENT)",
  );
});
