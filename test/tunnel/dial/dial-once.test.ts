import { describe, expect, test } from "bun:test";
import { NetError } from "../../../src/net/network.ts";
import type { StreamPort } from "../../../src/net/stream-port.ts";
import type { StreamTransport } from "../../../src/net/stream-transport.ts";
import { dialOnce } from "../../../src/tunnel/dial/dial-once.ts";
import { VirtualClock } from "../../support/memory/virtual-clock.ts";

const SERVER = { address: "10.0.0.1", port: 4000, host: "server" };

/** A transport whose dials a test settles by hand. */
function scene(count: number, onCancel = () => {}, onUp = () => {}) {
  const clock = new VirtualClock();
  const dials: (PromiseWithResolvers<StreamPort> & {
    port: number;
    tcpConnected: boolean;
    cancelled: boolean;
  })[] = [];
  const transport = {
    dial: ({ port }) => {
      const dial = { ...Promise.withResolvers<StreamPort>(), port, tcpConnected: false, cancelled: false };
      dials.push(dial);
      return {
        stream: dial.promise,
        get tcpConnected() {
          return dial.tcpConnected;
        },
        cancel: () => {
          dial.cancelled = true;
          onCancel();
        },
      };
    },
  } as Partial<StreamTransport> as StreamTransport;
  const up: number[] = [];
  const attempt = dialOnce(transport, clock, SERVER, count, (_stream, index) => {
    up.push(index);
    onUp();
  });
  return { clock, dials, up, attempt, cancelled: () => dials.map(({ cancelled }) => cancelled) };
}

/** A stream that remembers whether it was reset. */
function stream() {
  const port = {
    isReset: false,
    receive() {},
    terminate() {
      port.isReset = true;
    },
  };
  return port as Partial<StreamPort> as StreamPort & typeof port;
}

describe("one attempt to connect", () => {
  test("dials consecutive ports at once, and succeeds when every connection is up", async () => {
    const { dials, up, attempt, clock, cancelled } = scene(2);
    expect(dials.map(({ port }) => port)).toEqual([4000, 4001]);
    dials[1]?.resolve(stream());
    await clock.settle();
    expect(up).toEqual([1]);
    expect(clock.pending).toBe(1);
    dials[0]?.resolve(stream());
    expect(await attempt.done).toBeUndefined();
    expect(up).toEqual([1, 0]);
    expect(clock.pending).toBe(0);
    attempt.cancel();
    expect(cancelled()).toEqual([false, false]);
  });

  test("fails with the first failure, and cancels the other dial", async () => {
    const { dials, attempt, cancelled, clock } = scene(2);
    const refused = new NetError("ECONNREFUSED", "refused");
    dials[1]?.reject(refused);
    expect(await attempt.done).toBe(refused);
    expect(cancelled()).toEqual([true, true]);
    expect(clock.pending).toBe(0);
  });

  test("keeps the first failure when cancelling the other dial causes another one", async () => {
    const { dials, attempt } = scene(2, () => attempt.cancel(new NetError("ECONNRESET", "cancelled")));
    dials[1]?.reject(new NetError("ECONNREFUSED", "refused"));
    expect(await attempt.done).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("resets a connection that came up just before it was cancelled", async () => {
    const { dials, up, attempt, clock } = scene(1);
    const late = stream();
    dials[0]?.resolve(late);
    attempt.cancel();
    await clock.settle();
    expect([late.isReset, up]).toEqual([true, []]);
  });

  test.each([1, 2])("fails when one of %p does not answer within 5 s", async (count) => {
    const { dials, attempt, cancelled, clock } = scene(count);
    if (count > 1) dials[1]?.resolve(stream());
    await clock.advance(4999);
    expect(cancelled()).not.toContain(true);
    await clock.advance(1);
    expect(await attempt.done).toMatchObject({
      code: "ETIMEDOUT",
      message: "10.0.0.1:4000 does not answer",
    });
    expect(cancelled()).not.toContain(false);
  });

  test("leaves a handshake under way its own timeout", async () => {
    const { dials, attempt, clock } = scene(1);
    for (const dial of dials) dial.tcpConnected = true;
    await clock.advance(60_000);
    dials[0]?.resolve(stream());
    expect(await attempt.done).toBeUndefined();
  });

  test("can be cancelled, with a reason", async () => {
    const [plain, reasoned] = [scene(1), scene(1)];
    plain.attempt.cancel();
    expect(await plain.attempt.done).toMatchObject({ code: "ECANCELED" });
    expect([plain.cancelled(), plain.clock.pending]).toEqual([[true], 0]);
    const reason = new NetError("ECONNRESET", "the other half was closed");
    reasoned.attempt.cancel(reason);
    expect(await reasoned.attempt.done).toBe(reason);
  });

  test("does not end a connection that is up: a cancellation by its caller only fails the attempt", async () => {
    const closing = new NetError("ECANCELED", "closing");
    const { dials, attempt, cancelled, clock } = scene(1, undefined, () => attempt.cancel(closing));
    const first = stream();
    dials[0]?.resolve(first);
    expect(await attempt.done).toBe(closing);
    expect([cancelled(), first.isReset, clock.pending]).toEqual([[false], false, 0]);
  });

  test.each(["a dial", "the caller"])("rejects with a defect of %s", async (whose) => {
    const clock = new VirtualClock();
    const defect = new TypeError("a defect");
    const pending = whose === "a dial" ? Promise.reject(defect) : Promise.resolve(stream());
    let cancelled = false;
    const cancel = () => {
      cancelled = true;
    };
    const transport = {
      dial: () => ({ stream: pending, cancel }),
    } as Partial<StreamTransport> as StreamTransport;
    const attempt = dialOnce(transport, clock, SERVER, 1, () => {
      throw defect;
    });
    await expect(attempt.done).rejects.toBe(defect);
    expect([cancelled, clock.pending]).toEqual([true, 0]);
  });
});
