import { expect, test } from "bun:test";
import fc from "fast-check";
import { GROUP_BYTES_MAX, groupEnd, SEGMENTS_MAX } from "../../../src/net/linux/segment-groups.ts";

/** All groups of consecutive lengths, as arrays. */
function groups(lengths: number[]): number[][] {
  const found: number[][] = [];
  for (let from = 0; from < lengths.length; ) {
    const end = groupEnd(lengths, from, lengths.length);
    found.push(lengths.slice(from, end));
    from = end;
  }
  return found;
}

test.each([
  [[100], [[100]]],
  [[100, 100, 100], [[100, 100, 100]]],
  [[100, 100, 99], [[100, 100, 99]]],
  [
    [100, 99, 99],
    [[100, 99], [99]],
  ],
  [
    [100, 101],
    [[100], [101]],
  ],
  [
    [0, 0, 5, 0, 5],
    [[0], [0], [5], [0], [5]],
  ],
  [
    [40_000, 25_507, 1],
    [[40_000, 25_507], [1]],
  ],
  [
    [40_000, 25_508],
    [[40_000], [25_508]],
  ],
  [[65_527], [[65_527]]],
])("%j becomes %j", (lengths, expected) => {
  expect(groups(lengths)).toEqual(expected);
});

test("a group has at most 64 datagrams", () => {
  expect(groups(new Array(130).fill(7)).map((group) => group.length)).toEqual([64, 64, 2]);
});

test("a group has at most 65,507 bytes", () => {
  expect(groups(new Array(64).fill(1200)).map((group) => group.length)).toEqual([54, 10]);
});

test("all lengths are divided into groups that the kernel accepts, and no group could be longer", () => {
  const length = fc.oneof(fc.constantFrom(0, 1, 1200, 65_507), fc.integer({ min: 0, max: 65_507 }));
  const run = fc.tuple(length, fc.integer({ min: 1, max: 100 })).map(([of, times]) => Array(times).fill(of));
  fc.assert(
    fc.property(fc.array(run, { maxLength: 20 }), (runs) => {
      const lengths = runs.flat();
      const divided = groups(lengths);
      expect(divided.flat()).toEqual(lengths);
      for (const [index, group] of divided.entries()) {
        const [segment, last, next] = [group[0] ?? -1, group.at(-1) ?? -1, divided[index + 1]?.[0]];
        const bytes = group.reduce((sum, each) => sum + each, 0);
        expect(group.slice(0, -1).every((each) => each === segment)).toBe(true);
        expect(group.length === 1 || (last > 0 && last <= segment && bytes <= GROUP_BYTES_MAX)).toBe(true);
        expect(group.length).toBeLessThanOrEqual(SEGMENTS_MAX);
        const full = group.length === SEGMENTS_MAX || last < segment || segment === 0;
        const fits = next !== undefined && next > 0 && next <= segment && bytes + next <= GROUP_BYTES_MAX;
        expect(full || !fits).toBe(true);
      }
    }),
  );
});
