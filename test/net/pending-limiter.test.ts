import { expect, test } from "bun:test";
import { PendingLimiter, pendingMax } from "../../src/net/pending-limiter.ts";

const PER_PREFIX_MAX = 64;

/** A limiter of numbers, and the evicted ones. */
function limiterOf(max: number) {
  const evicted: number[] = [];
  const limiter: PendingLimiter<number> = new PendingLimiter({ max, perPrefix: PER_PREFIX_MAX }, (member) => {
    evicted.push(member);
    limiter.remove(member);
  });
  return { limiter, evicted };
}

test("at most 256 connections may be pending, and at most a quarter of the file descriptors", () => {
  expect([64, 1024, 4096, Infinity].map(pendingMax)).toEqual([16, 256, 256, 256]);
});

test("when a prefix is full, its oldest member is evicted", () => {
  const { limiter, evicted } = limiterOf(1000);
  limiter.add(-1, "192.0.2.1");
  for (let member = 0; member < PER_PREFIX_MAX + 2; member++) limiter.add(member, "192.0.2.2");
  expect(evicted).toEqual([0, 1]);
  expect(limiter.size).toBe(PER_PREFIX_MAX + 1);
});

test("a prefix is an IPv6 /64, or an IPv4 address in either form", () => {
  const { limiter, evicted } = limiterOf(1000);
  for (let member = 0; member < PER_PREFIX_MAX; member++) limiter.add(member, `2001:db8::${member + 1}`);
  limiter.add(100, "2001:db8:0:1::1");
  expect(evicted).toEqual([]);
  limiter.add(101, "2001:db8::ffff:1");
  expect(evicted).toEqual([0]);
  for (let member = 200; member <= 200 + PER_PREFIX_MAX; member++)
    limiter.add(member, member % 2 === 0 ? "192.0.2.1" : "::ffff:192.0.2.1");
  expect(evicted).toEqual([0, 200]);
});

test("when all is full, the oldest member of the largest prefix is evicted, whatever the new prefix", () => {
  const { limiter, evicted } = limiterOf(4);
  limiter.add(0, "192.0.2.1");
  for (const member of [1, 2, 3]) limiter.add(member, "192.0.2.2");
  limiter.add(4, "192.0.2.3");
  limiter.add(5, "192.0.2.4");
  expect(evicted).toEqual([1, 2]);
  expect(limiter.members).toEqual([0, 3, 4, 5]);
});

test("a removed member takes no room, and removing it again has no effect", () => {
  const { limiter, evicted } = limiterOf(2);
  for (const member of [1, 2]) limiter.add(member, "192.0.2.1");
  limiter.remove(1);
  limiter.remove(1);
  limiter.add(3, "192.0.2.1");
  expect(evicted).toEqual([]);
  expect(limiter.members).toEqual([2, 3]);
});

test("a renewed member is the newest, of its prefix and of all", () => {
  const { limiter, evicted } = limiterOf(3);
  for (const member of [1, 2, 3]) limiter.add(member, "192.0.2.1");
  limiter.renew(1);
  limiter.renew(4); // not a member
  limiter.add(5, "192.0.2.2");
  expect(evicted).toEqual([2]);
  expect(limiter.members).toEqual([3, 1, 5]);
});
