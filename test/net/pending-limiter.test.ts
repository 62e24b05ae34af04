import { expect, test } from "bun:test";
import { PendingLimiter } from "../../src/net/pending-limiter.ts";

const PER_PREFIX_MAX = 64;

/** A crowd of numbers, and those that had to go. */
function crowd(max: number) {
  const evicted: number[] = [];
  const of: PendingLimiter<number> = new PendingLimiter({ max, perPrefix: PER_PREFIX_MAX }, (member) => {
    evicted.push(member);
    of.remove(member);
  });
  return { of, evicted };
}

test("the oldest of one origin makes room for the next of it", () => {
  const { of, evicted } = crowd(1000);
  of.add(-1, "192.0.2.1");
  for (let member = 0; member < PER_PREFIX_MAX + 2; member++) of.add(member, "192.0.2.2");
  expect(evicted).toEqual([0, 1]);
  expect(of.size).toBe(PER_PREFIX_MAX + 1);
});

test("an IPv6 /64 is one origin, an IPv4 address is one in either form", () => {
  const { of, evicted } = crowd(1000);
  for (let member = 0; member < PER_PREFIX_MAX; member++) of.add(member, `2001:db8::${member + 1}`);
  of.add(100, "2001:db8:0:1::1");
  expect(evicted).toEqual([]);
  of.add(101, "2001:db8::ffff:1");
  expect(evicted).toEqual([0]);
  for (let member = 200; member <= 200 + PER_PREFIX_MAX; member++)
    of.add(member, member % 2 === 0 ? "192.0.2.1" : "::ffff:192.0.2.1");
  expect(evicted).toEqual([0, 200]);
});

test("when it is full, the oldest of the origin that has most makes room, whoever comes", () => {
  const { of, evicted } = crowd(4);
  of.add(0, "192.0.2.1");
  for (const member of [1, 2, 3]) of.add(member, "192.0.2.2");
  of.add(4, "192.0.2.3");
  of.add(5, "192.0.2.4");
  expect(evicted).toEqual([1, 2]);
  expect(of.members).toEqual([0, 3, 4, 5]);
});

test("who has left takes no room, and can leave again", () => {
  const { of, evicted } = crowd(2);
  for (const member of [1, 2]) of.add(member, "192.0.2.1");
  of.remove(1);
  of.remove(1);
  of.add(3, "192.0.2.1");
  expect(evicted).toEqual([]);
  expect(of.members).toEqual([2, 3]);
});

test("who has been renewed is the newest, of its origin and of all", () => {
  const { of, evicted } = crowd(3);
  for (const member of [1, 2, 3]) of.add(member, "192.0.2.1");
  of.renew(1);
  of.renew(4); // nobody
  of.add(5, "192.0.2.2");
  expect(evicted).toEqual([2]);
  expect(of.members).toEqual([3, 1, 5]);
});
