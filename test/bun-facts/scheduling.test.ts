/**
 * When callbacks run that are scheduled while datagrams arrive. If red after a Bun upgrade: review the code
 * that relies on it.
 */

import { expect, test } from "bun:test";

test("microtasks run after every datagram, setImmediate once after all queued datagrams", async () => {
  const order: string[] = [];
  const done = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data(_, payload) {
        order.push(`${payload}`);
        queueMicrotask(() => order.push("microtask"));
        if (`${payload}` !== "1") return;
        setImmediate(() => {
          order.push("immediate");
          done.resolve();
        });
      },
    },
  });
  for (const text of ["1", "2", "3"]) socket.send(text, socket.port, "127.0.0.1");
  await done.promise;
  expect(order).toEqual(["1", "microtask", "2", "microtask", "3", "microtask", "immediate"]);
  socket.close();
});

test("a UDP socket is read until it is empty, however long all other work is delayed", async () => {
  let received = 0;
  const immediate = Promise.withResolvers<number>();
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data(self) {
        if (++received === 1) setImmediate(() => immediate.resolve(received));
        if (received < 2000) self.send("again", self.port, "127.0.0.1");
      },
    },
  });
  socket.send("first", socket.port, "127.0.0.1");
  expect(await immediate.promise).toBe(2000);
  socket.close();
});
