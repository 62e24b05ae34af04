/**
 * What Bun.connect does with a descriptor that it adopts. If red after a Bun upgrade: review
 * net/linux/dial.ts.
 */

import { expect, test } from "bun:test";
import { fdOf } from "../../src/net/bun/stream-port.ts";
import { beginDial } from "../../src/net/linux/dial.ts";
import { adopt } from "../net/linux/adopt.ts";
import { libc, noLibc } from "../net/linux/open-libc.ts";

test.skipIf(noLibc)(
  "open is called and the promise resolves before the connection is up; drain means connected",
  async () => {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = listener;
    listener.stop(true);
    const events: string[] = [];
    const closed = Promise.withResolvers<void>();
    const dialled = beginDial(libc, { to: { address: "127.0.0.1", port } });
    if ("error" in dialled) throw new Error(dialled.error);
    const adopting = adopt(dialled.fd, {
      open: () => void events.push("open"),
      drain: () => void events.push("drain"),
      data() {},
      connectError: () => void events.push("connectError"),
      close(_, error) {
        events.push(`close ${(error as { code?: string } | undefined)?.code}`);
        closed.resolve();
      },
    });
    expect(events).toEqual(["open"]);
    const socket = await adopting;
    events.push("resolved");
    await closed.promise;
    expect(events).toEqual(["open", "resolved", "close ECONNREFUSED"]);
    expect(fdOf(socket)).toBe(-1);
  },
);

test.skipIf(noLibc)("once connected, it is a normal socket: both its addresses are known", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const dialled = beginDial(libc, { to: { address: "127.0.0.1", port: listener.port }, from: "127.0.0.7" });
  if ("error" in dialled) throw new Error(dialled.error);
  const connected = Promise.withResolvers<void>();
  const socket = await adopt(dialled.fd, { data() {}, drain: () => connected.resolve() });
  await connected.promise;
  expect(fdOf(socket)).toBe(dialled.fd);
  expect([socket.remoteAddress, socket.remotePort]).toEqual(["127.0.0.1", listener.port]);
  expect([socket.localAddress, socket.localPort > 0]).toEqual(["127.0.0.7", true]);
  socket.terminate();
  listener.stop(true);
});
