import { expect, test } from "bun:test";
import { type ClientOptions, startClient, type TunnelEvent } from "../../src/index.ts";
import { APP_HOST, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

const DEAD_AFTER_MS = 2000;
/**
 * The slow peer reads once in this time. Its limit is eight times as long, because a busy machine delays it.
 */
const READ_EVERY_MS = 500;

/** A client that a program floods, connected to a server that reads only while its socket is resumed. */
async function flooded(options: Partial<ClientOptions>) {
  const stack = new AsyncDisposableStack();
  const accepted = Promise.withResolvers<Bun.Socket>();
  let read = 0;
  const listener = Bun.listen({
    hostname: TUNNEL_HOST,
    port: 0,
    socket: {
      open: (socket) => {
        socket.pause();
        accepted.resolve(socket);
      },
      data: (_socket, { length }) => {
        read += length;
      },
    },
  });
  stack.defer(() => listener.stop(true));
  const ended: (TunnelEvent & { type: "disconnected" })[] = [];
  const onEvent = (event: TunnelEvent) => {
    if (event.type === "disconnected") ended.push(event);
  };
  const udp = await freeUdpPort();
  const connect = `${TUNNEL_HOST}/${listener.port}`;
  const target = `${APP_HOST}/${udp}`;
  const given = { connect, target, bind: TUNNEL_HOST, deadAfterMs: DEAD_AFTER_MS, ...options };
  const client = stack.use(await startClient(given, { onEvent }));
  const app = stack.use(await UdpApp.open(udp));
  const payload = new Uint8Array(8000);
  const timer = setInterval(() => {
    for (let count = 0; count < 16; count++) app.send(payload);
  }, 5);
  stack.defer(() => clearInterval(timer));
  const { outbound } = client.counters;
  const socket = await accepted.promise;
  await until("a full connection", () => outbound.droppedTotal > 0);
  const tunnel = { client, socket, ended, read: () => read };
  return { ...tunnel, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test.each([
  ["with the link's send window", {}],
  ["with the kernel's window alone", { inFlight: "kernel", unsentBytesMax: 1 << 30 }],
] as const)("a peer that reads nothing counts as stalled after deadAfterMs, %s", async (_how, options) => {
  const beganAt = performance.now();
  await using tunnel = await flooded(options);
  await until("the end of the connection", () => tunnel.ended.length > 0, DEAD_AFTER_MS + PATIENCE_MS);
  expect(tunnel.ended[0]).toMatchObject({ reason: "stalled" });
  expect(performance.now() - beganAt).toBeGreaterThan(DEAD_AFTER_MS / 2);
});

test("a peer that reads slowly stays connected", async () => {
  const deadAfterMs = 8 * READ_EVERY_MS;
  await using tunnel = await flooded({ deadAfterMs });
  const readUntil = performance.now() + 2 * deadAfterMs;
  while (performance.now() < readUntil) {
    const before = tunnel.read();
    tunnel.socket.resume();
    await until("data to read", () => tunnel.read() > before || tunnel.ended.length > 0);
    expect(tunnel.ended).toEqual([]);
    tunnel.socket.pause();
    await Bun.sleep(READ_EVERY_MS); // the peer must be slow
  }
  expect(tunnel.client.counters.connects).toBe(1);
});
