/** Datagram channels on real sockets, and against real programs: Debian's udptunnel and DNS over TCP. */

import { expect, test } from "bun:test";
import { freePort } from "../../scripts/free-ports.ts";
import { RunningProgram } from "../../scripts/running-program.ts";
import { type DatagramChannel, dialChannel, listenChannels } from "../../src/index.ts";
import { decodeAnswer, encodeQuery } from "../interop/dns-message.ts";
import { Unbound } from "../interop/unbound.ts";
import { UdpApp } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { text, utf8 } from "../support/text.ts";

test("on loopback, 5000 datagrams of many lengths reach a slow consumer unchanged", async () => {
  const TOTAL = 5000;
  const payload = (number: number) => new Uint8Array(1 + ((number * 7919) % 1400)).fill(number);
  const arrived = Promise.withResolvers<DatagramChannel>();
  await using server = await listenChannels({ listen: "127.0.0.1/0" }, arrived.resolve);
  const [at] = server.tcp;
  const options = { connect: `127.0.0.1/${at?.port}`, maxDelayMs: 0, queueBytesMax: 16 << 20 };
  await using near = await dialChannel(options);
  const far = await arrived.promise;
  for (let number = 0; number < TOTAL; number++) expect(near.send(payload(number))).toBe(true);
  let number = 0;
  for await (const datagram of far) {
    if (Buffer.compare(datagram, payload(number)) !== 0) throw new Error(`datagram ${number} has changed`);
    if (++number === TOTAL) break;
    if (number % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(near.stats().outbound).toMatchObject({ received: TOTAL, sent: TOTAL });
  await near.close();
  expect(await near.closed).toEqual({ reason: "closing" });
});

test("on loopback, a missing server is ERR_DIAL and a port in use is ERR_LISTEN", async () => {
  const port = await freePort();
  const failed = await dialChannel({ connect: `127.0.0.1/${port}` }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "ERR_DIAL", cause: { code: "ECONNREFUSED" } });
  await using server = await listenChannels({ listen: "127.0.0.1/0" }, () => {});
  const again = listenChannels({ listen: `127.0.0.1/${server.tcp[0]?.port}` }, () => {});
  expect(await again.catch((error: unknown) => error)).toMatchObject({
    code: "ERR_LISTEN",
    message: expect.stringContaining("give another one with listen"),
    cause: { code: "EADDRINUSE" },
  });
});

testNeeding("udptunnel")("a channel can be the other end of a tunnel of the original", async () => {
  const udpPort = await freePort();
  const [toOriginal, fromOriginal] = [await accepted(), Promise.withResolvers<string>()];
  using app = await UdpApp.open(udpPort);
  const args = ["-v", "-c", `127.0.0.1/${toOriginal.port}`, `127.0.0.2/${udpPort}`];
  await using original = new RunningProgram(["udptunnel", ...args]);
  const channel = await toOriginal.channel;
  channel.receive((datagram) => fromOriginal.resolve(text(datagram)));
  // The original handles one frame per read, so the second one makes it handle the first.
  channel.send(utf8("to UDP"));
  await app.receives("to UDP");
  app.send("from UDP");
  expect(await fromOriginal.promise).toBe("from UDP");
  await channel.close();
  await original.exited;
  await toOriginal.server.close();
});

testNeeding("unbound")("a channel sends many queries to a DNS resolver on one connection", async () => {
  const records = new Map(Array.from({ length: 200 }, (_, id) => [`host-${id}.test`, `192.0.2.${id}`]));
  await using unbound = await Unbound.start(records);
  await using channel = await dialChannel({ connect: `127.0.0.1/${unbound.port}`, maxDelayMs: 0 });
  let id = 0;
  for (const name of records.keys()) channel.send(encodeQuery(id++, name));
  const answers = new Map<number, string>();
  for await (const datagram of channel) {
    const answer = decodeAnswer(Buffer.from(datagram));
    answers.set(answer.id, answer.address);
    if (answers.size === records.size) break;
  }
  expect([...answers].sort(([a], [b]) => a - b)).toEqual(
    [...records.values()].map((address, at) => [at, address]),
  );
});

testNeeding("dig")("a channel answers a query of dig over TCP, as a DNS server does", async () => {
  await using server = await listenChannels({ listen: "127.0.0.1/0" }, async (channel) => {
    for await (const query of channel) channel.send(refusalOf(query));
  });
  const args = ["+tcp", "+tries=1", "+time=5", "-p", `${server.tcp[0]?.port}`, "@127.0.0.1", "example.test"];
  await using dig = Bun.spawn(["dig", ...args], { stdout: "pipe", stderr: "ignore" });
  expect(await dig.stdout.text()).toContain("status: REFUSED");
});

/** The query as an answer that refuses it: QR is set, and RCODE is 5 (RFC 1035, 4.1.1). */
function refusalOf(query: Uint8Array): Uint8Array {
  const answer = query.slice();
  answer[2] = (answer[2] ?? 0) | 0x80;
  answer[3] = 5;
  return answer;
}

/** Listens, and returns the server and a promise of its first channel. */
async function accepted() {
  const { promise: channel, resolve } = Promise.withResolvers<DatagramChannel>();
  const server = await listenChannels({ listen: "127.0.0.1/0" }, resolve);
  return { server, channel, port: server.tcp[0]?.port };
}
