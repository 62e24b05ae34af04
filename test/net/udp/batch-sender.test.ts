import { describe, expect, test } from "bun:test";
import { BatchSender } from "../../../src/net/udp/batch-sender.ts";
import { BATCH_DATAGRAMS_MAX, DatagramBatch } from "../../../src/net/udp/datagram-batch.ts";

/** A kernel with scripted answers: for each datagram offered, in order, "ok" or an error code. */
class FakeKernel {
  readonly taken: string[] = [];
  readonly dropped: string[] = [];
  readonly calls: string[] = [];
  refused = 0;
  ready = 0;
  sentBytes = 0;
  waiting: BatchSender[] = [];
  /** The answers for the datagrams offered next. When there are none left, all are taken. */
  answers: string[] = [];
  /** Whether an incomplete transmit has an error code. */
  reportsRefusal = true;
  refusal = "";
  readonly sender: BatchSender;

  constructor() {
    const socket = {
      awaitDrain: (sender: BatchSender) => void this.waiting.push(sender),
      onRefused: () => void this.refused++,
    };
    const observer = {
      onSent: (datagrams: number, bytes: number, systemCalls: number) => {
        this.sentCount += datagrams;
        this.sentBytes += bytes;
        this.sentInCalls += systemCalls;
      },
      onSendDropped: (reason: string, datagrams: number, code?: string) =>
        void this.dropped.push(`${datagrams} ${reason}${code ? ` ${code}` : ""}`),
      onWritable: () => void this.ready++,
    };
    this.sender = new BatchSender(socket, this, observer);
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
        this.refusal = this.reportsRefusal ? answer : "";
        // If the code is not reported now, the next try has it.
        if (!this.reportsRefusal || index > batch.from) this.answers.unshift(answer);
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

  sendOne(payload: Uint8Array): boolean {
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

test("a batch is sent in one call", () => {
  const kernel = new FakeKernel();
  kernel.send("a", "", "bcd");
  expect(kernel.taken).toEqual(["a", "", "bcd"]);
  expect(kernel.calls).toEqual(["transmit 3"]);
  expect([kernel.sentCount, kernel.sentBytes, kernel.sentInCalls, kernel.sender.held]).toEqual([3, 4, 1, 0]);
});

test("flush makes no call when there is nothing to send", () => {
  const kernel = new FakeKernel();
  kernel.sender.flush();
  expect(kernel.calls).toEqual([]);
});

test("a full batch is sent without flush", () => {
  const kernel = new FakeKernel();
  const texts = Array.from({ length: BATCH_DATAGRAMS_MAX + 1 }, (_, number) => `${number}`);
  kernel.add(...texts);
  expect(kernel.calls).toEqual([`transmit ${BATCH_DATAGRAMS_MAX}`]);
  expect(kernel.sender.held).toBe(1);
  kernel.sender.flush();
  expect(kernel.taken).toEqual(texts);
});

test("after a short count without an error code the next datagram is tried alone at once", () => {
  const kernel = new FakeKernel();
  kernel.reportsRefusal = false;
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
])("%p drops that one datagram as %p, and the rest is sent", (code, reason) => {
  const kernel = new FakeKernel();
  kernel.answers = ["ok", code, "ok"];
  kernel.send("a", "bad", "b");
  expect(kernel.taken).toEqual(["a", "b"]);
  expect(kernel.dropped).toEqual([`1 ${reason} ${code}`]);
  expect(kernel.sentCount).toBe(2);
});

describe("ECONNREFUSED because of an earlier datagram", () => {
  test("is counted, and the datagram is sent again", () => {
    const kernel = new FakeKernel();
    kernel.answers = ["ok", "ECONNREFUSED", "ECONNREFUSED", "ok"];
    kernel.send("a", "b", "c");
    expect(kernel.taken).toEqual(["a", "b", "c"]);
    expect(kernel.refused).toBe(2);
    expect(kernel.dropped).toEqual([]);
  });

  test("at every try drops the datagram as unreachable", () => {
    const kernel = new FakeKernel();
    kernel.answers = Array.from({ length: 5 }, () => "ECONNREFUSED");
    kernel.send("a", "b");
    expect(kernel.taken).toEqual(["b"]);
    expect(kernel.dropped).toEqual(["1 unreachable ECONNREFUSED"]);
    expect(kernel.refused).toBe(5);
  });

  test("and then a full buffer makes the sender hold the datagram", () => {
    const kernel = new FakeKernel();
    kernel.answers = ["ECONNREFUSED", "EAGAIN"];
    kernel.send("a", "b");
    expect([kernel.sender.blocked, kernel.sender.held]).toEqual([true, 2]);
  });
});

describe("a full send buffer", () => {
  function full(...texts: string[]): FakeKernel {
    const kernel = new FakeKernel();
    kernel.answers = ["ok", "EAGAIN", "EAGAIN"];
    kernel.send(...texts);
    return kernel;
  }

  test("makes the sender hold the rest; the last call is Bun's own send, so that Bun calls drain", () => {
    const kernel = full("a", "b", "c");
    expect(kernel.taken).toEqual(["a"]);
    expect([kernel.sender.blocked, kernel.sender.held, kernel.waiting.length]).toEqual([true, 2, 1]);
    expect(kernel.calls.at(-1)).toBe("send");
  });

  test("makes flush do nothing until there is room", () => {
    const kernel = full("a", "b");
    const calls = kernel.calls.length;
    kernel.sender.flush();
    expect(kernel.calls).toHaveLength(calls);
  });

  test("with room again calls onWritable; flush continues in order", () => {
    const kernel = full("a", "b", "c");
    kernel.drain();
    expect([kernel.ready, kernel.sender.blocked, kernel.sender.held]).toEqual([1, false, 2]);
    kernel.sender.flush();
    expect(kernel.taken).toEqual(["a", "b", "c"]);
    expect(kernel.sender.held).toBe(0);
  });

  test("that fills again blocks the sender again", () => {
    const kernel = full("a", "b", "c");
    kernel.drain();
    kernel.answers = ["ok", "EAGAIN", "EAGAIN"];
    kernel.sender.flush();
    expect(kernel.taken).toEqual(["a", "b"]);
    expect([kernel.sender.blocked, kernel.sender.held, kernel.waiting.length]).toEqual([true, 1, 1]);
  });

  test("that has room at the second try does not block the sender", () => {
    const kernel = new FakeKernel();
    kernel.answers = ["ok", "EAGAIN", "ok"];
    kernel.send("a", "b", "c");
    expect(kernel.taken).toEqual(["a", "b", "c"]);
    expect(kernel.sender.blocked).toBe(false);
  });

  test("and then drop: the held datagrams are counted once, and the sender is unblocked", () => {
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

  test("and drop with nothing held has no effect", () => {
    const kernel = new FakeKernel();
    kernel.sender.drop("closing");
    expect(kernel.dropped).toEqual([]);
  });
});

test("only a few batches are kept after many senders were blocked", () => {
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
