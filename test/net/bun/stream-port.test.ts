import { describe, expect, test } from "bun:test";
import { dial } from "../../../src/net/bun/dial.ts";
import { listen } from "../../../src/net/bun/listen.ts";
import type { StreamPort } from "../../../src/net/stream-port.ts";
import { freeTcpPort, TUNNEL_HOST } from "../../support/loopback.ts";
import { PLATFORMS } from "../../support/system-sockets.ts";
import { utf8 } from "../../support/text.ts";
import { until } from "../../support/until.ts";

const any = { address: TUNNEL_HOST, port: 0 };

/** A stream's events, in order. */
class Log {
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  drains = 0;
  onChunk(chunk: Uint8Array): void {
    this.chunks.push(chunk);
  }
  onDrain(): void {
    this.drains++;
  }
  onEnd(): void {
    this.events.push("end");
  }
  onClose(code: string | undefined): void {
    this.events.push(`close ${code}`);
  }
  get length(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }
}

describe.each(PLATFORMS)("a stream port, %s", (_name, system) => {
  /** Both ends of a new connection, each with a log of its events. */
  async function connect() {
    const log = { near: new Log(), far: new Log() };
    let far: StreamPort | undefined;
    const listener = listen(
      any,
      (stream) => {
        far = stream;
        stream.receive(log.far);
      },
      { system },
    );
    const near = await dial(listener.local, system).stream;
    near.receive(log.near);
    await until("the connection to be accepted", () => far !== undefined);
    listener.close();
    return { near, far: far as StreamPort, log };
  }

  /** Writes all bytes, waiting for room where needed. */
  async function writeAll(stream: StreamPort, all: Uint8Array): Promise<void> {
    let written = 0;
    await until("room", () => {
      written += stream.write(all.subarray(written));
      return written === all.length;
    });
  }

  test("has the same two endpoints at both ends", async () => {
    const { near, far } = await connect();
    expect(near.local).toEqual(far.remote);
    expect(near.remote).toEqual(far.local);
    near.terminate();
  });

  test("knows its peer after it was closed, even if that was never read before", async () => {
    const { near, far } = await connect();
    const { local } = near;
    far.terminate();
    expect(far.remote).toEqual(local);
    near.terminate();
  });

  test("passes bytes pushed back, and later events, to the next receiver", async () => {
    const { near, far, log } = await connect();
    near.write(utf8("too much"));
    await until("the chunk", () => log.far.length === 8);
    far.pushBack(utf8("much"));
    near.write(utf8(", and more"));
    near.shutdown();
    await Bun.sleep(20); // no receiver may be called, so there is no event to await
    expect(log.far.length).toBe(8);
    const next = new Log();
    far.receive(next);
    await until("all of it", () => next.events.includes("end"));
    expect(Buffer.concat(next.chunks).toString()).toBe("much, and more");
    expect(log.far.events).toEqual([]);
    near.terminate();
    far.terminate();
  });

  const large = new Uint8Array(12_000_000).map((_, index) => index >> 8);

  test("write takes what fits, and onDrain follows when there is room", async () => {
    const { near, far, log } = await connect();
    far.pause();
    let taken = near.write(large);
    expect(taken).toBeLessThan(large.length);
    await until("nothing more to be taken", () => {
      const more = near.write(large.subarray(0, 1000));
      taken += more;
      return more === 0;
    });
    const { drains } = log.near;
    far.resume();
    await until("a drain", () => log.near.drains > drains);
    await until("all that was taken", () => log.far.length === taken);
    near.terminate();
  });

  test("shutdown loses nothing while the peer is still sending", async () => {
    const { near, far, log } = await connect();
    await writeAll(near, large);
    far.write(utf8("the peer is still sending"));
    near.shutdown();
    await until("the end", () => log.far.events.includes("end"));
    expect(Buffer.concat(log.far.chunks).equals(large)).toBe(true);
    far.write(utf8("; it still may"));
    far.shutdown();
    await until("the close", () => log.near.events.length > 0);
    expect(Buffer.concat(log.near.chunks).toString()).toBe("the peer is still sending; it still may");
  });

  test("calls no receiver while it is paused", async () => {
    const { near, far, log } = await connect();
    far.pause();
    near.write(utf8("x"));
    near.shutdown();
    (await connect()).near.terminate(); // meanwhile the byte arrives
    expect([log.far.chunks, log.far.events]).toEqual([[], []]);
    far.resume();
    await until("the rest", () => log.far.events.length > 0);
    expect([log.far.length, log.far.events[0]]).toEqual([1, "end"]);
    far.terminate();
  });

  test("terminate calls onClose at once, and resets the other end", async () => {
    const { near, log } = await connect();
    near.terminate();
    expect(log.near.events).toEqual(["close undefined"]);
    await until("the reset", () => log.far.events.length > 0);
    expect(log.far.events).toEqual(["close ECONNRESET"]);
    expect(near.write(utf8("x"))).toBe(-1);
  });

  test("buffers events until it has a receiver", async () => {
    const listener = listen(
      any,
      (stream) => {
        stream.receive(new Log());
        stream.write(utf8("the server sends first"));
        stream.shutdown();
      },
      { system },
    );
    const stream = await dial(listener.local, system).stream;
    listener.close();
    const log = new Log();
    stream.receive(log);
    await until("its end", () => log.events.length > 0);
    expect([Buffer.concat(log.chunks).toString(), log.events[0]]).toEqual(["the server sends first", "end"]);
    stream.terminate();
  });

  test("a buffered event may replace the receiver; the new one gets the rest", async () => {
    const listener = listen(
      any,
      (stream) => {
        stream.receive(new Log());
        stream.write(utf8("x"));
        stream.shutdown();
      },
      { system },
    );
    const stream = await dial(listener.local, system).stream;
    listener.close();
    // Meanwhile the byte and the FIN arrive.
    for (let count = 0; count < 3; count++) (await connect()).near.terminate();
    const [first, second] = [new Log(), new Log()];
    first.onChunk = () => stream.receive(second);
    stream.receive(first);
    await until("the end", () => second.events.length > 0);
    expect([first.events, second.events]).toEqual([[], ["end"]]);
    stream.terminate();
  });

  test("a refused dial rejects with the reason", async () => {
    const port = freeTcpPort();
    const [outcome] = await Promise.allSettled([dial({ address: TUNNEL_HOST, port }, system).stream]);
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: { code: "ECONNREFUSED", message: `cannot connect to ${TUNNEL_HOST}:${port}: ECONNREFUSED` },
    });
  });

  test("a cancelled dial never settles", async () => {
    let accepted = 0;
    const listener = listen(
      any,
      (stream) => {
        accepted++;
        stream.receive(new Log());
      },
      { system },
    );
    const cancelled = dial(listener.local, system);
    let settled = false;
    cancelled.stream.then(
      () => {
        settled = true;
      },
      () => {
        settled = true;
      },
    );
    cancelled.cancel();
    const next = await dial(listener.local, system).stream;
    await until("the next one to be accepted", () => accepted > 0);
    expect(settled).toBe(false);
    next.terminate();
    listener.close();
  });

  test("the error names a port that is in use", () => {
    const listener = listen(any, () => {}, { system });
    expect(() => listen(listener.local, () => {}, { system })).toThrow(
      `cannot listen on TCP ${TUNNEL_HOST}:${listener.local.port}: EADDRINUSE`,
    );
    listener.close();
  });
});
