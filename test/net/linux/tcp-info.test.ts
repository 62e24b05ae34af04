import { describe, expect, test } from "bun:test";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import { TcpInfo } from "../../../src/net/linux/tcp-info.ts";
import { libc, noLibc } from "./open-libc.ts";

/** A connection whose server end does not read. */
async function blockedConnection() {
  const accepted = Promise.withResolvers<Bun.Socket>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.pause();
        accepted.resolve(socket);
      },
      data() {},
    },
  });
  const client = await Bun.connect({ hostname: "127.0.0.1", port: listener.port, socket: { data() {} } });
  const server = await accepted.promise;
  const close = () => {
    client.terminate();
    server.terminate();
    listener.stop(true);
  };
  return { client, server, close };
}

describe.skipIf(noLibc)("TcpInfo", () => {
  test("an idle connection has a segment size, a round-trip time, and no bytes in flight", async () => {
    const { client, close } = await blockedConnection();
    const info = new TcpInfo(libc);
    expect(info.read(fdOf(client))).toBe(true);
    expect(info.sndMss).toBeGreaterThan(500);
    expect(info.rttUs).toBeGreaterThan(0);
    expect(info.rttUs).toBeLessThan(1e6);
    expect(info.minRttUs).toBeGreaterThan(0);
    expect(info.lastAckRecvMs).toBeLessThan(20_000);
    expect([info.notsentBytes, info.retransmits]).toEqual([0, 0]);
    expect(info.unackedBytes(fdOf(client))).toBe(0);
    close();
  });

  test("a blocked connection has unsent and unacknowledged bytes", async () => {
    const { client, close } = await blockedConnection();
    const chunk = new Uint8Array(1 << 20);
    for (let written = 1; written > 0; ) written = client.write(chunk, 0, chunk.length);
    const info = new TcpInfo(libc);
    expect(info.read(fdOf(client))).toBe(true);
    expect(info.notsentBytes).toBeGreaterThan(0);
    expect(info.unackedBytes(fdOf(client))).toBeGreaterThanOrEqual(info.notsentBytes ?? Infinity);
    close();
  });

  test("an older kernel writes fewer fields, and the others are undefined", () => {
    const older = {
      ...libc,
      getsockopt(_fd: number, _level: number, _option: number, value: Uint8Array, length: Uint8Array) {
        value.fill(1);
        length[0] = 104; // Linux 2.6.10 to 3.14: up to tcpi_total_retrans
        return 0;
      },
    };
    const info = new TcpInfo(older);
    info.read(0);
    expect([info.sndMss, info.retransmits]).toEqual([0x01010101, 0x01010101]);
    expect([info.notsentBytes, info.minRttUs, info.deliveredBytes]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("reading a descriptor that is not a socket fails, and no field keeps an old value", async () => {
    const { client, close } = await blockedConnection();
    const info = new TcpInfo(libc);
    info.read(fdOf(client));
    expect(info.read(-1)).toBe(false);
    expect(info.sndMss).toBeUndefined();
    expect(info.unackedBytes(-1)).toBeUndefined();
    close();
  });
});
