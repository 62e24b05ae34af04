/** Facts about TLS in Bun 1.4.5 that the handshake queue relies on. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { Certificates } from "../support/certificates.ts";
import { TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { until } from "../support/until.ts";

const COUNT = 20;

testNeeding("openssl")(
  "of clients whose first messages arrive together, all but five are answered newest first",
  async () => {
    using made = new Certificates();
    const { cert, key } = made.selfSigned({ name: "localhost" });
    const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    const quiet = { data() {}, error() {}, close() {} };
    using server = Bun.listen({ hostname: TUNNEL_HOST, port: 0, tls, socket: quiet });
    const hello = await clientHello();
    const answered: number[] = [];
    const client = (number: number) =>
      Bun.connect({
        hostname: TUNNEL_HOST,
        port: server.port,
        socket: { ...quiet, data: () => void answered.push(number) },
      });
    const clients = await Promise.all(Array.from({ length: COUNT }, (_, number) => client(number)));
    for (const socket of clients) socket.write(hello);
    await until("every answer", () => new Set(answered).size === COUNT);
    for (const socket of clients) socket.terminate();
    expect(answered.indexOf(COUNT - 1)).toBeLessThan(answered.indexOf(COUNT / 2));
    expect(answered.indexOf(COUNT / 2)).toBeLessThan(answered.indexOf(COUNT / 2 - 2));
  },
);

/** The first message of a client of Bun. */
async function clientHello(): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const data = (_socket: unknown, chunk: Buffer) => resolve(Buffer.from(chunk));
  using listener = Bun.listen({ hostname: TUNNEL_HOST, port: 0, socket: { data } });
  const quiet = { data() {}, error() {}, close() {} };
  const options = { hostname: TUNNEL_HOST, port: listener.port, tls: true, socket: quiet };
  const client = await Bun.connect({ ...options, socket: { ...quiet, handshake() {} } });
  const hello = await promise;
  client.terminate();
  return hello;
}
