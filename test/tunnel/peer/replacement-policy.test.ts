import { expect, test } from "bun:test";
import { type CurrentPeer, ReplacementPolicy } from "../../../src/tunnel/peer/replacement-policy.ts";

const ADDRESS = "192.0.2.1";
const OTHER_ADDRESS = "192.0.2.2";

const current = (given: Partial<CurrentPeer> = {}): CurrentPeer => ({
  address: ADDRESS,
  acceptedAt: 0,
  complete: true,
  hasStream: true,
  ...given,
});

test("the first connection is accepted", () => {
  expect(new ReplacementPolicy().decide(ADDRESS, undefined, true, 0)).toEqual({ verdict: "accept" });
});

test("an address replaces its own connection", () => {
  expect(new ReplacementPolicy().decide(ADDRESS, current(), true, 5)).toEqual({ verdict: "replace" });
});

test("a connection not known to be a peer's is held, unless the current pair is incomplete", () => {
  const half = current({ complete: false });
  expect(new ReplacementPolicy().decide(ADDRESS, current(), false, 5)).toEqual({ verdict: "hold" });
  expect(new ReplacementPolicy().decide(ADDRESS, half, false, 5)).toEqual({ verdict: "replace" });
  expect(new ReplacementPolicy().decide(ADDRESS, undefined, false, 5)).toEqual({ verdict: "accept" });
});

test("another address is rejected as long as the current peer is complete", () => {
  const policy = new ReplacementPolicy();
  expect(policy.decide(OTHER_ADDRESS, current(), true, 1e9)).toEqual({ verdict: "reject other" });
});

test("the missing stream of a pair is added", () => {
  const half = current({ complete: false, hasStream: false });
  expect(new ReplacementPolicy().decide(ADDRESS, half, true, 5)).toEqual({ verdict: "add" });
});

test("an incomplete pair is replaced by another address after 10 s", () => {
  const half = current({ complete: false });
  expect(new ReplacementPolicy().decide(OTHER_ADDRESS, half, true, 9999).verdict).toBe("reject other");
  expect(new ReplacementPolicy().decide(OTHER_ADDRESS, half, true, 10_000).verdict).toBe("replace");
});

test("after 3 replacements in 10 s, replacements are rejected for 10 s, with one warning", () => {
  const policy = new ReplacementPolicy();
  const decide = (now: number) => policy.decide(ADDRESS, current(), true, now);
  for (const now of [0, 4000, 9998]) expect(decide(now)).toEqual({ verdict: "replace" });
  expect(decide(9999)).toEqual({ verdict: "reject flapping", warn: true });
  expect(decide(10_000)).toEqual({ verdict: "reject flapping" });
  expect(decide(19_998)).toEqual({ verdict: "reject flapping" });
  expect(decide(19_999)).toEqual({ verdict: "replace" });
});

test("a replacement no longer counts after 10 s", () => {
  const policy = new ReplacementPolicy();
  for (let now = 0; now < 100_000; now += 3334)
    expect(policy.decide(ADDRESS, current(), true, now).verdict).toBe("replace");
});
