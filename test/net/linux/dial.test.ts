import { afterEach, describe, expect, test } from "bun:test";
import { fdOf } from "../../../src/net/bun/stream-port.ts";
import * as c from "../../../src/net/linux/constants.ts";
import { beginDial, type DialRequest } from "../../../src/net/linux/dial.ts";
import { getNumber } from "../../../src/net/linux/socket-options.ts";
import { attachDropFilter } from "../../support/drop-filter.ts";
import { adopt } from "./adopt.ts";
import { libc, noLibc, watchedLibc } from "./open-libc.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Starts a dial and lets Bun adopt its descriptor. */
function dial(request: DialRequest) {
  const dialled = beginDial(libc, request);
  if ("error" in dialled) throw new Error(dialled.error);
  return adopted(dialled.fd);
}

/** Lets Bun adopt a descriptor and records its events; `until` waits for one. */
async function adopted(fd: number) {
  const seen: string[] = [];
  let wake = () => {};
  const note = (event: string) => {
    seen.push(event);
    wake();
  };
  const until = async (event: string) => {
    while (!seen.includes(event)) await new Promise<void>((resolve) => (wake = resolve));
  };
  const socket = await adopt(fd, {
    drain: () => note("drain"),
    data: (_, chunk) => note(`data ${chunk}`),
    end: () => note("end"),
    close: (_, error) => note(`close ${(error as { code?: string } | undefined)?.code}`),
  });
  cleanups.push(() => socket.terminate());
  return { socket, seen, until };
}

function listen(hostname: string, handlers: Partial<Bun.SocketHandler> = {}) {
  const listener = Bun.listen({ hostname, port: 0, allowHalfOpen: true, socket: { data() {}, ...handlers } });
  cleanups.push(() => listener.stop(true));
  return listener;
}

// Newer kernels, such as 6.18, require CAP_NET_ADMIN to filter a TCP socket. UDP sockets need no privilege.
const privileged = process.getuid?.() === 0;

/** A listener that never answers: a filter drops every segment. */
function blackHole(hostname: string) {
  const listener = listen(hostname);
  expect(attachDropFilter(libc, fdOf(listener))).toBe(true);
  return listener;
}

/** The number of connections to `port` in SYN-SENT (state 02 of /proc/net/tcp). */
async function unanswered(port: number): Promise<number> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => Bun.file(`/proc/net/${name}`).text()));
  return tables.join("").match(new RegExp(`:${hexPort} 02 `, "g"))?.length ?? 0;
}

describe.skipIf(noLibc)("beginDial", () => {
  test.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])(
    "%s: drain means connected, and then data flows both ways",
    async (address) => {
      const listener = listen(address, { data: (socket, chunk) => void socket.write(chunk) });
      const { socket, seen, until } = await dial({ to: { address, port: listener.port } });
      await until("drain");
      expect(seen).toEqual(["drain"]);
      socket.write("echo");
      await until("data echo");
    },
  );

  test("a refused attempt closes with ECONNREFUSED and never drains", async () => {
    const listener = listen("127.0.0.1");
    const { port } = listener;
    listener.stop(true);
    const { seen, until } = await dial({ to: { address: "127.0.0.1", port } });
    await until("close ECONNREFUSED");
    expect(seen).toEqual(["close ECONNREFUSED"]);
  });

  test.skipIf(!privileged).each(["127.0.0.1", "::1"])(
    "%s: an unanswered attempt closes with ETIMEDOUT after the user timeout",
    async (address) => {
      const { port } = blackHole(address);
      const { seen, until } = await dial({ to: { address, port }, userTimeoutMs: 100 });
      await until("close ETIMEDOUT");
      expect(seen).toEqual(["close ETIMEDOUT"]);
    },
  );

  test.skipIf(!privileged)("terminate cancels an unanswered attempt", async () => {
    const { port } = blackHole("127.0.0.1");
    const { socket, seen } = await dial({ to: { address: "127.0.0.1", port } });
    expect(await unanswered(port)).toBe(1);
    socket.terminate();
    expect(await unanswered(port)).toBe(0);
    expect(seen).toEqual(["close undefined"]);
  });

  test("no data is lost that a server sends at once, even when it closes at once", async () => {
    const sent = Promise.withResolvers<void>();
    const listener = listen("127.0.0.1", {
      open(socket) {
        socket.write("welcome");
        socket.shutdown();
        sent.resolve();
      },
    });
    const dialled = beginDial(libc, { to: { address: "127.0.0.1", port: listener.port } });
    if ("error" in dialled) throw new Error(dialled.error);
    // Data and FIN have arrived before Bun polls the descriptor for the first time.
    await sent.promise;
    const { seen, until } = await adopted(dialled.fd);
    await until("end");
    expect(seen).toEqual(["drain", "data welcome", "end"]);
  });

  test("an adopted connection may stay half open", async () => {
    const received = Promise.withResolvers<string>();
    const listener = listen("127.0.0.1", {
      open: (socket) => void socket.shutdown(),
      data: (_, chunk) => received.resolve(`${chunk}`),
    });
    const { socket, until } = await dial({ to: { address: "127.0.0.1", port: listener.port } });
    await until("end");
    expect(socket.write("after the FIN")).toBe(13);
    expect(await received.promise).toBe("after the FIN");
  });

  test("options apply from the first packet on", async () => {
    const { port } = listen("127.0.0.1");
    const dialled = beginDial(libc, {
      to: { address: "127.0.0.1", port },
      from: "127.0.0.9",
      userTimeoutMs: 7000,
      tos: 0xb8,
    });
    if ("error" in dialled) throw new Error(dialled.error);
    expect(getNumber(libc, dialled.fd, c.IPPROTO_TCP, c.TCP_USER_TIMEOUT)).toBe(7000);
    expect(getNumber(libc, dialled.fd, c.IPPROTO_IP, c.IP_TOS)).toBe(0xb8);
    libc.close(dialled.fd);
  });

  test("the server sees the requested local address", async () => {
    const seen = Promise.withResolvers<string>();
    const listener = listen("127.0.0.1", { open: (socket) => seen.resolve(socket.remoteAddress) });
    await dial({ to: { address: "127.0.0.1", port: listener.port }, from: "127.0.0.9" });
    expect(await seen.promise).toBe("127.0.0.9");
  });

  test.each([
    [{ to: { address: "not an address", port: 1 } }, "EINVAL"],
    [{ to: { address: "fe80::1%nowhere", port: 1 } }, "ENODEV"],
    [{ to: { address: "127.0.0.1", port: 1 }, from: "198.51.100.200" }, "EADDRNOTAVAIL"],
    [{ to: { address: "127.0.0.1", port: 1 }, from: "::1" }, "EAFNOSUPPORT"],
    [{ to: { address: "127.0.0.1", port: 1 }, userTimeoutMs: -1 }, "EINVAL"],
    [{ to: { address: "255.255.255.255", port: 1 } }, "ENETUNREACH"],
  ] satisfies [DialRequest, string][])(
    "%j fails at once with %s and leaves no descriptor behind",
    (request, error) => {
      const watched = watchedLibc();
      expect(beginDial(watched.libc, request)).toEqual({ error });
      expect(watched.open.size).toBe(0);
    },
  );
});
