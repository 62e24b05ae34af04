import { describe, expect, test } from "bun:test";
import { printable, quoted } from "../../src/options/message-text.ts";

describe("text from outside", () => {
  test("cannot control the terminal", () => {
    const hostile = "a\u001b[31m\u0007\u007f\u009b2J\u202e\u2028\ud800\u{e0001}b";
    expect(printable(hostile)).toBe(
      "a\\u001b[31m\\u0007\\u007f\\u009b2J\\u202e\\u2028\\ud800\\udb40\\udc01b",
    );
    expect(printable("plain Größe 日本 😀")).toBe("plain Größe 日本 😀");
    expect(quoted("\u009b2J")).toBe('"\\u009b2J"');
  });

  test("keeps its meaning in JSON", () => {
    const line = JSON.stringify({ message: "\u009b31m \u202e \u0001 \\ \ud800" });
    expect(printable(line)).not.toBe(line);
    expect(JSON.parse(printable(line))).toEqual(JSON.parse(line));
  });

  test("is cut when long", () => {
    expect(quoted("x".repeat(5000))).toBe(`"${"x".repeat(200)}"... (5000 characters)`);
    expect(quoted(Array(5000).fill(1)).length).toBeLessThan(210);
  });
});
