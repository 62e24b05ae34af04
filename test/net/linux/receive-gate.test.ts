import { describe, expect, test } from "bun:test";
import { ReceiveGate } from "../../../src/net/linux/receive-gate.ts";
import { kernelDrops } from "../../../src/net/linux/socket-options.ts";
import { fdOf } from "./adopt.ts";
import { libc, noLibc } from "./open-libc.ts";

describe.skipIf(noLibc)("ReceiveGate", () => {
  test.each(["127.0.0.1", "::1"])(
    "%s: closed in a callback it ends Bun's receive loop; opened, datagrams arrive again",
    async (hostname) => {
      const gate = new ReceiveGate(libc);
      let received = 0;
      let arrived = () => {};
      const closed = Promise.withResolvers<number>();
      const socket = await Bun.udpSocket({
        hostname,
        socket: {
          data(self) {
            received++;
            arrived();
            // Each datagram brings the next, so the loop would go on for as long as this does.
            if (received < 5000) self.send("again", self.port, hostname);
            if (received !== 64) return;
            expect(gate.close(fdOf(self))).toBeUndefined();
            setImmediate(() => closed.resolve(received));
          },
        },
      });
      socket.send("first", socket.port, hostname);
      // At most one was on its way when the gate closed.
      expect(await closed.promise).toBeLessThanOrEqual(65);
      const dropsBefore = kernelDrops(libc, fdOf(socket)) as number;
      socket.send("against the gate", socket.port, hostname);
      expect(kernelDrops(libc, fdOf(socket))).toBe(dropsBefore + 1);

      received = 5000;
      expect(gate.open(fdOf(socket))).toBeUndefined();
      const next = new Promise<void>((resolve) => (arrived = resolve));
      socket.send("after it", socket.port, hostname);
      await next;
      expect(received).toBe(5001);
      socket.close();
    },
  );

  test("one gate serves several sockets, and survives a collection of garbage", async () => {
    const gate = new ReceiveGate(libc);
    const sockets = await Promise.all([Bun.udpSocket({}), Bun.udpSocket({})]);
    Bun.gc(true);
    for (const socket of sockets) expect(gate.close(fdOf(socket))).toBeUndefined();
    for (const socket of sockets) expect(gate.open(fdOf(socket))).toBeUndefined();
    for (const socket of sockets) socket.close();
  });

  test("a refusal has its name", async () => {
    const gate = new ReceiveGate(libc);
    const socket = await Bun.udpSocket({});
    expect(gate.open(fdOf(socket))).toBe("ENOENT");
    socket.close();
    expect(gate.close(-1)).toBe("EBADF");
  });
});
