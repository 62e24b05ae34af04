import { describe, expect, test } from "bun:test";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import * as c from "../../../src/net/linux/constants.ts";
import * as options from "../../../src/net/linux/socket-options.ts";
import { libc, noLibc } from "./open-libc.ts";

const root = process.getuid?.() === 0;
const read = (fd: number, level: number, option: number) => options.getNumber(libc, fd, level, option);

/** Calls `use` with the descriptor and port of a UDP socket of Bun. */
async function withUdp(
  hostname: string,
  flags: number,
  use: (fd: number, port: number) => void | Promise<void>,
) {
  const socket = await Bun.udpSocket({ hostname, flags, socket: {} } as Bun.udp.SocketOptions<"buffer">);
  try {
    await use(fdOf(socket), socket.port);
  } finally {
    socket.close();
  }
}

function withTcp(hostname: string, use: (fd: number) => void) {
  const listener = Bun.listen({ hostname, port: 0, socket: { data() {} } });
  try {
    use(fdOf(listener));
  } finally {
    listener.stop(true);
  }
}

describe.skipIf(noLibc)("socket options", () => {
  describe.each([
    ["127.0.0.1", 0, 4],
    ["::1", 0, 6],
    ["::", 0, 6],
    ["::", 8, 6],
  ] as const)("of a UDP socket on %s with flags %i", (hostname, flags, family) => {
    test("ICMP errors are switched off for both protocols, and on again", () =>
      withUdp(hostname, flags, (fd) => {
        expect(read(fd, c.IPPROTO_IP, c.IP_RECVERR)).toBe(1);
        expect(options.setReceiveErrors(libc, fd, false)).toBeUndefined();
        expect(read(fd, c.IPPROTO_IP, c.IP_RECVERR)).toBe(0);
        if (family === 6) expect(read(fd, c.IPPROTO_IPV6, c.IPV6_RECVERR)).toBe(0);
        expect(options.setReceiveErrors(libc, fd, true)).toBeUndefined();
        if (family === 6) expect(read(fd, c.IPPROTO_IPV6, c.IPV6_RECVERR)).toBe(1);
      }));

    test("descriptions of received datagrams are switched off", () =>
      withUdp(hostname, flags, (fd) => {
        const v4 = [c.IP_PKTINFO, c.IP_RECVTOS];
        const v6 = family === 6 ? [c.IPV6_RECVPKTINFO, c.IPV6_RECVTCLASS] : [];
        const all = () => [
          ...v4.map((option) => read(fd, c.IPPROTO_IP, option)),
          ...v6.map((option) => read(fd, c.IPPROTO_IPV6, option)),
        ];
        expect(all()).toContain(1);
        expect(options.setReceiveDetails(libc, fd, false)).toBeUndefined();
        expect(new Set(all())).toEqual(new Set([0]));
      }));

    test("the traffic class and the hop limit are set for both protocols", () =>
      withUdp(hostname, flags, (fd) => {
        expect(options.setTrafficClass(libc, fd, 0xb8)).toBeUndefined();
        expect(options.setMulticastHops(libc, fd, 0)).toBeUndefined();
        expect(read(fd, c.IPPROTO_IP, c.IP_TOS)).toBe(0xb8);
        expect(read(fd, c.IPPROTO_IP, c.IP_MULTICAST_TTL)).toBe(0);
        if (family === 4) return;
        expect(read(fd, c.IPPROTO_IPV6, c.IPV6_TCLASS)).toBe(0xb8);
        expect(read(fd, c.IPPROTO_IPV6, c.IPV6_MULTICAST_HOPS)).toBe(0);
      }));
  });

  test("the granted size of a buffer is in payload bytes", () =>
    withUdp("127.0.0.1", 0, (fd) => {
      expect(options.setReceiveBuffer(libc, fd, 100_000)).toBe(100_000);
      expect(options.setSendBuffer(libc, fd, 50_000)).toBe(50_000);
      expect(read(fd, c.SOL_SOCKET, c.SO_RCVBUF)).toBe(200_000);
    }));

  test("without CAP_NET_ADMIN, the system limits the granted size of a buffer", () =>
    withUdp("127.0.0.1", 0, async (fd) => {
      const unprivileged = {
        ...libc,
        setsockopt: (...call: Parameters<typeof libc.setsockopt>) =>
          call[2] === c.SO_RCVBUFFORCE || call[2] === c.SO_SNDBUFFORCE ? -1 : libc.setsockopt(...call),
      };
      const limit = async (name: string) => Number(await Bun.file(`/proc/sys/net/core/${name}`).text());
      expect(options.setReceiveBuffer(unprivileged, fd, 1e9)).toBe(await limit("rmem_max"));
      expect(options.setSendBuffer(unprivileged, fd, 1e9)).toBe(await limit("wmem_max"));
    }));

  test("the user timeout and the keepalive of TCP are set", () => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      withTcp(hostname, (fd) => {
        expect(options.setUserTimeout(libc, fd, 15_000)).toBeUndefined();
        expect(options.setKeepalive(libc, fd, { idleS: 20, intervalS: 5, count: 3 })).toBeUndefined();
        const tcp = [c.TCP_USER_TIMEOUT, c.TCP_KEEPIDLE, c.TCP_KEEPINTVL, c.TCP_KEEPCNT];
        expect(tcp.map((option) => read(fd, c.IPPROTO_TCP, option))).toEqual([15_000, 20, 5, 3]);
        expect(read(fd, c.SOL_SOCKET, c.SO_KEEPALIVE)).toBe(1);
      });
    }
  });

  test.skipIf(!root)("the mark is set", () =>
    withUdp("127.0.0.1", 0, (fd) => {
      expect(options.setMark(libc, fd, 77)).toBeUndefined();
      expect(read(fd, c.SOL_SOCKET, c.SO_MARK)).toBe(77);
    }),
  );

  test("an error has its errno name", () => {
    expect(options.setMark(libc, -1, 1)).toBe("EBADF");
    expect(options.setReceiveBuffer(libc, -1, 1)).toBeUndefined();
    expect(options.kernelDrops(libc, -1)).toBeUndefined();
  });

  test("datagrams that the kernel drops at a full buffer are counted", () =>
    withUdp("127.0.0.1", 0, async (fd, port) => {
      expect(options.kernelDrops(libc, fd)).toBe(0);
      expect(options.setReceiveBuffer(libc, fd, 1)).toBeGreaterThan(0);
      const sender = await Bun.udpSocket({});
      // All in one tick: Bun reads nothing in between.
      for (let sent = 0; sent < 20; sent++) sender.send(new Uint8Array(1000), port, "127.0.0.1");
      sender.close();
      expect(options.kernelDrops(libc, fd)).toBeGreaterThan(0);
      expect(options.kernelDrops(libc, fd)).toBeLessThan(20);
    }));
});
