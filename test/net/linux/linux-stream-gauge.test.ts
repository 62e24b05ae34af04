import { describe, expect, test } from "bun:test";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import type { Libc } from "../../../src/net/linux/libc.ts";
import { LinuxStreamGauge } from "../../../src/net/linux/linux-stream-gauge.ts";
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

describe.skipIf(noLibc)("the gauge of a stream", () => {
  test("of an idle connection has a segment size, round trip times, and no bytes in flight", async () => {
    const { client, close } = await blockedConnection();
    const gauge = new LinuxStreamGauge(libc);
    expect(gauge.read(fdOf(client))).toBe(true);
    expect(gauge.mssBytes).toBeGreaterThan(500);
    expect(gauge.rttMs).toBeGreaterThan(0);
    expect(gauge.rttMs).toBeLessThan(1000);
    expect(gauge.minRttMs).toBeGreaterThan(0);
    expect(gauge.lastAckMs).toBeLessThan(20_000);
    expect([gauge.unsentBytes, gauge.retransmits]).toEqual([0, 0]);
    expect([gauge.unackedBytes, gauge.outstandingBytes, gauge.inFlightBytes]).toEqual([0, 0, 0]);
    close();
  });

  test("of a blocked connection has unsent and unacknowledged bytes", async () => {
    const { client, close } = await blockedConnection();
    const chunk = new Uint8Array(1 << 20);
    for (let written = 1; written > 0; ) written = client.write(chunk, 0, chunk.length);
    const gauge = new LinuxStreamGauge(libc);
    expect(gauge.read(fdOf(client))).toBe(true);
    expect(gauge.unsentBytes).toBeGreaterThan(0);
    expect(gauge.unackedBytes).toBeGreaterThanOrEqual(gauge.unsentBytes);
    close();
  });

  test("has the fields of struct tcp_info, in which acknowledgements beyond a gap are full segments", () => {
    const fields: Record<number, number> = {
      16: 1000, // tcpi_snd_mss
      28: 3, // tcpi_sacked
      32: 5, // tcpi_lost
      36: 1, // tcpi_retrans
      56: 7, // tcpi_last_ack_recv
      68: 2500, // tcpi_rtt
      100: 9, // tcpi_total_retrans
      120: 11, // tcpi_bytes_acked, the lower half
      124: 1, // and the upper half
      144: 400, // tcpi_notsent_bytes
      148: 1500, // tcpi_min_rtt
    };
    const scripted: Libc = {
      ...libc,
      getsockopt(_fd, _level, _option, value) {
        for (const [at, field] of Object.entries(fields))
          new DataView(value.buffer).setUint32(Number(at), field, true);
        return 0;
      },
      ioctl(_fd, _request, value) {
        new DataView(value.buffer).setInt32(0, 20_400, true);
        return 0;
      },
    };
    const gauge = new LinuxStreamGauge(scripted);
    expect(gauge.read(5)).toBe(true);
    const { mssBytes, lastAckMs, rttMs, minRttMs, retransmits, deliveredBytes, unsentBytes } = gauge;
    expect({ mssBytes, lastAckMs, rttMs, minRttMs, retransmits, unsentBytes }).toEqual({
      mssBytes: 1000,
      lastAckMs: 7,
      rttMs: 2.5,
      minRttMs: 1.5,
      retransmits: 9,
      unsentBytes: 400,
    });
    expect(deliveredBytes).toBe(2 ** 32 + 11 + 3000);
    expect([gauge.unackedBytes, gauge.outstandingBytes, gauge.inFlightBytes]).toEqual([
      20_400, 17_000, 13_000,
    ]);
  });

  test("cannot be read on an older kernel, which writes fewer fields", () => {
    const older: Libc = {
      ...libc,
      getsockopt(_fd, _level, _option, value, length) {
        value.fill(1);
        length[0] = 148; // Linux 4.5: up to tcpi_notsent_bytes
        return 0;
      },
    };
    expect(new LinuxStreamGauge(older).read(0)).toBe(false);
  });

  test("cannot be read from a descriptor that is not a socket", async () => {
    const { client, close } = await blockedConnection();
    const gauge = new LinuxStreamGauge(libc);
    expect(gauge.read(fdOf(client))).toBe(true);
    expect(gauge.read(-1)).toBe(false);
    close();
  });
});
