import { expect, test } from "bun:test";
import { nearest } from "../../src/options/message-text.ts";
import { OPTIONS } from "../../src/options/table.ts";

test("names and letters are unique", () => {
  const names = OPTIONS.map(({ name }) => name);
  const shorts = OPTIONS.flatMap(({ short }) => (short === undefined ? [] : [short]));
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(shorts).size).toBe(shorts.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+[46]?(-[a-z]+)*$/);
  for (const short of shorts) expect(short).toMatch(/^[a-zA-Z0-9]$/);
});

test("only flags with different values of one setting share a key", () => {
  for (const [key, definitions] of Map.groupBy(OPTIONS, ({ key }) => key)) {
    if (definitions.length > 1)
      expect(definitions.map((definition) => [key, "means" in definition])).toEqual(
        definitions.map(() => [key, true]),
      );
  }
});

test("the definitions of a group are adjacent", () => {
  const headings = OPTIONS.map(({ group }) => group).filter((group, index, all) => group !== all[index - 1]);
  expect(new Set(headings).size).toBe(headings.length);
});

test("defaults are within bounds, and help consists of sentences", () => {
  for (const definition of OPTIONS) {
    expect(definition.help).toMatch(/^[A-Z].*\.$/);
    if (!("min" in definition) || definition.default === undefined) continue;
    expect(definition.default).toBeGreaterThanOrEqual(definition.min);
    expect(definition.default).toBeLessThanOrEqual(definition.max);
  }
});

test("nearest finds a similar name or none", () => {
  const names = OPTIONS.map(({ name }) => name);
  expect(nearest("quue", names)).toBe("queue");
  expect(nearest("dead-afer", names)).toBe("dead-after");
  expect(nearest("dead", names)).toBe("dead-after");
  expect(nearest("recieve-only", names)).toBeUndefined();
  expect(nearest("udp-recieve-only", names)).toBe("udp-receive-only");
  expect(nearest("bogus", names)).toBeUndefined();
  expect(nearest("x", names)).toBeUndefined();
});
