import { expect, test } from "bun:test";
import { LineWriter, QUEUE_MAX } from "../../src/cli/line-writer.ts";

/** A reader that takes one text per call of `take` or `refuse`. */
class Reader {
  readonly texts: string[] = [];
  readonly #pending: PromiseWithResolvers<void>[] = [];

  readonly write = (text: string): Promise<void> => {
    this.texts.push(text);
    const pending = Promise.withResolvers<void>();
    this.#pending.push(pending);
    return pending.promise;
  };

  async take(): Promise<void> {
    this.#pending.shift()?.resolve();
    await Bun.sleep(0);
  }

  async refuse(): Promise<void> {
    this.#pending.shift()?.reject(new Error("EPIPE"));
    await Bun.sleep(0);
  }
}

const notice = (lines: number) => `${lines} missing\n`;

test("only one write is pending, and lines queued meanwhile are written together, in order", async () => {
  const reader = new Reader();
  const writer = new LineWriter(reader.write, notice);
  for (const line of ["a", "b", "c"]) writer.write(`${line}\n`);
  expect(reader.texts).toEqual(["a\n"]);
  await reader.take();
  expect(reader.texts).toEqual(["a\n", "b\nc\n"]);
  expect(writer.writing).toBe(true);
  await reader.take();
  expect(writer.writing).toBe(false);
});

test("lines are dropped when the reader does not read, and one line reports how many", async () => {
  const reader = new Reader();
  const writer = new LineWriter(reader.write, notice);
  const line = `${"x".repeat(99)}\n`;
  let written = 0;
  for (let count = 0; count < 10_000; count++) {
    if (writer.full) writer.drop();
    else {
      writer.write(line);
      written++;
    }
  }
  expect(written).toBeLessThan(QUEUE_MAX / line.length + 3);
  expect(writer.dropped).toBe(10_000 - written);
  await reader.take();
  writer.write("later\n");
  await reader.take();
  const [first, second = "", third] = reader.texts;
  expect(first).toBe(line);
  expect(second).toBe(line.repeat(written - 1) + notice(writer.dropped));
  expect(third).toBe("later\n");
});

test("lines whose write fails are counted, and reported once a write succeeds", async () => {
  const reader = new Reader();
  const writer = new LineWriter(reader.write, notice);
  writer.write("a\n");
  await reader.refuse();
  writer.write("b\n");
  await reader.refuse();
  expect(reader.texts).toEqual(["a\n", `b\n${notice(1)}`]);
  expect(writer.dropped).toBe(2);
  writer.write("c\n");
  await reader.take();
  writer.write("d\n");
  expect(reader.texts.slice(2)).toEqual([`c\n${notice(2)}`, "d\n"]);
});

test("flushed() settles when the reader has read, and at the timeout without a reader", async () => {
  const reader = new Reader();
  const writer = new LineWriter(reader.write, notice);
  await writer.flushed(60_000);
  writer.write("a\n");
  await writer.flushed(1);
  expect(writer.writing).toBe(true);
  const flushed = writer.flushed(60_000);
  await reader.take();
  await flushed;
  expect(writer.writing).toBe(false);
});
