import { describe, expect, test } from "bun:test";
import { BatchSender } from "../../../src/net/udp/batch-sender.ts";
import { BATCH_DATAGRAMS_MAX, DatagramBatch } from "../../../src/net/udp/datagram-batch.ts";

/** A kernel that answers by the book: for each datagram offered, in order, "ok" or an errno name. */
class FakeKernel {
  readonly taken: string[] = [];
  readonly dropped: string[] = [];
  readonly calls: string[] = [];
  refused = 0;
  ready = 0;
  sentBytes = 0;
  waiting: BatchSender[] = [];
  /** What becomes of the datagrams offered next; beyond its end all are taken. */
  answers: string[] = [];
  /** Whether a short transmit says why. */
  tells = true;
  refusal = "";
  readonly sender: BatchSender;

  constructor() {
    const socket = {
      awaitDrain: (sender: BatchSender) => void this.waiting.push(sender),
      onRefused: () => void this.refused++,
    };
    const report = {
      onSent: (datagrams: number, bytes: number, systemCalls: number) => {
        this.sentCount += datagrams;
        this.sentBytes += bytes;
        this.sentInCalls += systemCalls;
      },
      onSendDropped: (reason: string, datagrams: number, code?: string) =>
        void this.dropped.push(`${datagrams} ${reason}${code ? ` ${code}` : ""}`),
      onWritable: () => void this.ready++,
    };
    this.sender = new BatchSender(socket, this, (payload) => this.#sendOne(payload), report);
  }

  sentCount = 0;
  sentInCalls = 0;
  systemCalls = 0;

  readonly batches = new Set<DatagramBatch>();

  transmit(batch: DatagramBatch): number {
    this.batches.add(batch);
    this.calls.push(`transmit ${batch.count - batch.from}`);
    this.systemCalls++;
    for (let index = batch.from; index < batch.count; index++) {
      const answer = this.answers.shift() ?? "ok";
      if (answer !== "ok") {
        this.refusal = this.tells ? answer : "";
        // A refusal that is not told now is met again.
        if (!this.tells || index > batch.from) this.answers.unshift(answer);
        return index - batch.from;
      }
      this.#take(batch.view(index));
    }
    this.refusal = "";
    return batch.count - batch.from;
  }

  add(...texts: string[]): void {
    for (const text of texts) {
      const bytes = new TextEncoder().encode(`<${text}>`);
      this.sender.add(bytes, 1, bytes.length - 2);
    }
  }

  send(...texts: string[]): void {
    this.add(...texts);
    this.sender.flush();
  }

  drain(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const sender of waiting) sender.resume();
  }

  #sendOne(payload: Uint8Array): boolean {
    this.calls.push("send");
    const answer = this.answers.shift() ?? "ok";
    if (answer === "EAGAIN") return false;
    if (answer !== "ok") throw Object.assign(new Error(answer), { code: answer });
    this.#take(payload);
    return true;
  }

  #take(payload: Uint8Array): void {
    this.taken.push(new TextDecoder().decode(payload));
  }
}

test("all goes out in one call", () => {
  const kernel = new FakeKernel();
  kernel.send("a", "", "bcd");
  expect(kernel.taken).toEqual(["a", "", "bcd"]);
  expect(kernel.calls).toEqual(["transmit 3"]);
  expect([kernel.sentCount, kernel.sentBytes, kernel.sentInCalls, kernel.sender.held]).toEqual([3, 4, 1, 0]);
});

test("flush without anything to send calls nobody", () => {
  const kernel = new FakeKernel();
  kernel.sender.flush();
  expect(kernel.calls).toEqual([]);
});

test("a full batch goes out by itself", () => {
  const kernel = new FakeKernel();
  const texts = Array.from({ length: BATCH_DATAGRAMS_MAX + 1 }, (_, number) => `${number}`);
  kernel.add(...texts);
  expect(kernel.calls).toEqual([`transmit ${BATCH_DATAGRAMS_MAX}`]);
  expect(kernel.sender.held).toBe(1);
  kernel.sender.flush();
  expect(kernel.taken).toEqual(texts);
});

test("a short count without a reason is looked into at once: the datagram may be bad, or the socket full", () => {
  const kernel = new FakeKernel();
  kernel.tells = false;
  kernel.answers = ["ok", "EMSGSIZE", "ok"];
  kernel.send("a", "bad", "b");
  expect(kernel.taken).toEqual(["a", "b"]);
  expect(kernel.dropped).toEqual(["1 too long EMSGSIZE"]);
  expect(kernel.sentInCalls).toBe(2);
  expect(kernel.sender.blocked).toBe(false);
});

test.each([
  ["EMSGSIZE", "too long"],
  ["ENETUNREACH", "unreachable"],
  ["EHOSTUNREACH", "unreachable"],
  ["ENETDOWN", "unreachable"],
  ["EADDRNOTAVAIL", "unreachable"],
  ["EPERM", "send error"],
  ["ENOBUFS", "send error"],
  ["EINVAL", "send error"],
])("%p drops that one datagram as %p, and the rest goes out", (code, reason) => {
  const kernel = new FakeKernel();
  kernel.answers = ["ok", code, "ok"];
  kernel.send("a", "bad", "b");
  expect(kernel.taken).toEqual(["a", "b"]);
  expect(kernel.dropped).toEqual([`1 ${reason} ${code}`]);
  expect(kernel.sentCount).toBe(2);
});

describe("ECONNREFUSED, the answer to an earlier datagram", () => {
  test("is counted, and the datagram is sent once more", () => {
    const kernel = new FakeKernel();
    kernel.answers = ["ok", "ECONNREFUSED", "ECONNREFUSED", "ok"];
    kernel.send("a", "b", "c");
    expect(kernel.taken).toEqual(["a", "b", "c"]);
    expect(kernel.refused).toBe(2);
    expect(kernel.dropped).toEqual([]);
  });

  test("without end drops the datagram as unreachable", () => {
    const kernel = new FakeKernel();
    kernel.answers = Array.from({ length: 5 }, () => "ECONNREFUSED");
    kernel.send("a", "b");
    expect(kernel.taken).toEqual(["b"]);
    expect(kernel.dropped).toEqual(["1 unreachable ECONNREFUSED"]);
    expect(kernel.refused).toBe(5);
  });

  test("and then a full buffer holds it", () => {
    const kernel = new FakeKernel();
    kernel.answers = ["ECONNREFUSED", "EAGAIN"];
    kernel.send("a", "b");
    expect([kernel.sender.blocked, kernel.sender.held]).toEqual([true, 2]);
  });
});

describe("a full buffer", () => {
  function full(...texts: string[]): FakeKernel {
    const kernel = new FakeKernel();
    kernel.answers = ["ok", "EAGAIN", "EAGAIN"];
    kernel.send(...texts);
    return kernel;
  }

  test("holds the rest, and is noticed by Bun's own send, which arms its drain", () => {
    const kernel = full("a", "b", "c");
    expect(kernel.taken).toEqual(["a"]);
    expect([kernel.sender.blocked, kernel.sender.held, kernel.waiting.length]).toEqual([true, 2, 1]);
    expect(kernel.calls.at(-1)).toBe("send");
  });

  test("is left alone until there is room", () => {
    const kernel = full("a", "b");
    const calls = kernel.calls.length;
    kernel.sender.flush();
    expect(kernel.calls).toHaveLength(calls);
  });

  test("that has room again asks what to do; flush goes on in order", () => {
    const kernel = full("a", "b", "c");
    kernel.drain();
    expect([kernel.ready, kernel.sender.blocked, kernel.sender.held]).toEqual([1, false, 2]);
    kernel.sender.flush();
    expect(kernel.taken).toEqual(["a", "b", "c"]);
    expect(kernel.sender.held).toBe(0);
  });

  test("that is full again waits again", () => {
    const kernel = full("a", "b", "c");
    kernel.drain();
    kernel.answers = ["ok", "EAGAIN", "EAGAIN"];
    kernel.sender.flush();
    expect(kernel.taken).toEqual(["a", "b"]);
    expect([kernel.sender.blocked, kernel.sender.held, kernel.waiting.length]).toEqual([true, 1, 1]);
  });

  test("that only seemed full costs nothing", () => {
    const kernel = new FakeKernel();
    kernel.answers = ["ok", "EAGAIN", "ok"];
    kernel.send("a", "b", "c");
    expect(kernel.taken).toEqual(["a", "b", "c"]);
    expect(kernel.sender.blocked).toBe(false);
  });

  test("gives up what it holds when told to, counted once", () => {
    const kernel = full("a", "b", "c");
    kernel.sender.drop("expired");
    expect(kernel.dropped).toEqual(["2 expired"]);
    expect([kernel.sender.blocked, kernel.sender.held]).toEqual([false, 0]);
    kernel.drain();
    expect(kernel.ready).toBe(0);
    kernel.answers = [];
    kernel.send("d");
    expect(kernel.taken).toEqual(["a", "d"]);
  });

  test("with nothing held, dropping drops nothing", () => {
    const kernel = new FakeKernel();
    kernel.sender.drop("closing");
    expect(kernel.dropped).toEqual([]);
  });
});

test("senders that were blocked leave only a few batches behind", () => {
  const blocked = Array.from({ length: 50 }, () => {
    const kernel = new FakeKernel();
    kernel.answers = ["EAGAIN", "EAGAIN"];
    kernel.add("x");
    kernel.sender.flush();
    return kernel;
  });
  expect(blocked.map(({ sender }) => sender.held)).toEqual(blocked.map(() => 1));
  const used = new Set(blocked.flatMap(({ batches }) => [...batches]));
  expect(used.size).toBe(50);
  for (const { sender } of blocked) sender.drop("closing");
  const taken = Array.from({ length: 50 }, () => DatagramBatch.take());
  expect(taken.filter((batch) => used.has(batch)).length).toBeLessThanOrEqual(4);
  expect(taken.every(({ count, bytes }) => count === 0 && bytes.length === 0)).toBe(true);
});
