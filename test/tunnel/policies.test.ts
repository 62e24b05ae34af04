import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AddressFilter } from "../../src/tunnel/access/address-filter.ts";
import { RedialPolicy } from "../../src/tunnel/dial/backoff.ts";
import { type CurrentPeer, ReplacementPolicy } from "../../src/tunnel/peer/replacement-policy.ts";

describe("admission", () => {
  const current = (given: Partial<CurrentPeer> = {}): CurrentPeer => ({
    address: "192.0.2.1",
    since: 0,
    complete: true,
    occupied: true,
    ...given,
  });

  test("serves whoever comes first", () => {
    expect(new ReplacementPolicy().decide("192.0.2.1", undefined, true, 0)).toEqual({ verdict: "serve" });
  });

  test("lets an address replace its own connection", () => {
    expect(new ReplacementPolicy().decide("192.0.2.1", current(), true, 5)).toEqual({ verdict: "replace" });
  });

  test("lets one wait that is not known to be a peer, but for half a pair, which is not served yet", () => {
    const half = current({ complete: false });
    expect(new ReplacementPolicy().decide("192.0.2.1", current(), false, 5)).toEqual({ verdict: "wait" });
    expect(new ReplacementPolicy().decide("192.0.2.1", half, false, 5)).toEqual({ verdict: "replace" });
    expect(new ReplacementPolicy().decide("192.0.2.1", undefined, false, 5)).toEqual({ verdict: "serve" });
  });

  test("refuses another address for as long as the first is complete", () => {
    const admission = new ReplacementPolicy();
    expect(admission.decide("192.0.2.2", current(), true, 1e9)).toEqual({ verdict: "refuse other" });
  });

  test("fills the missing half of a pair", () => {
    const half = current({ complete: false, occupied: false });
    expect(new ReplacementPolicy().decide("192.0.2.1", half, true, 5)).toEqual({ verdict: "fill" });
  });

  test("gives half a pair up to another address after 10 s", () => {
    const half = current({ complete: false });
    expect(new ReplacementPolicy().decide("192.0.2.2", half, true, 9999).verdict).toBe("refuse other");
    expect(new ReplacementPolicy().decide("192.0.2.2", half, true, 10_000).verdict).toBe("replace");
  });

  test("keeps the current for 10 s after 3 replacements in 10 s, and says so once", () => {
    const admission = new ReplacementPolicy();
    const decide = (now: number) => admission.decide("192.0.2.1", current(), true, now);
    for (const now of [0, 4000, 9998]) expect(decide(now)).toEqual({ verdict: "replace" });
    expect(decide(9999)).toEqual({ verdict: "refuse storm", first: true });
    expect(decide(10_000)).toEqual({ verdict: "refuse storm" });
    expect(decide(19_998)).toEqual({ verdict: "refuse storm" });
    expect(decide(19_999)).toEqual({ verdict: "replace" });
  });

  test("forgets replacements that are 10 s old", () => {
    const admission = new ReplacementPolicy();
    for (let now = 0; now < 100_000; now += 3334)
      expect(admission.decide("192.0.2.1", current(), true, now).verdict).toBe("replace");
  });
});

describe("redialling", () => {
  const jitter = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

  test("waits 0.1 s doubling to 5 s", () => {
    const policy = new RedialPolicy(() => 0.5);
    const delays = Array.from({ length: 8 }, () => policy.onDown(0).delayMs);
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test("jitters by a quarter and never waits longer than 5 s", () => {
    fc.assert(
      fc.property(fc.array(jitter, { minLength: 1, maxLength: 20 }), (randoms) => {
        let turn = 0;
        const policy = new RedialPolicy(() => randoms[turn] as number);
        for (; turn < randoms.length; turn++) {
          const plannedMs = Math.min(5000, 100 * 2 ** turn);
          const { delayMs } = policy.onDown(turn);
          expect(delayMs).toBeGreaterThanOrEqual(plannedMs * 0.75);
          expect(delayMs).toBeLessThanOrEqual(Math.min(5000, plannedMs * 1.25));
        }
      }),
    );
  });

  test("uses the jitter it is given", () => {
    expect(new RedialPolicy(() => 0).onDown(0).delayMs).toBe(75);
    expect(new RedialPolicy(() => 0.999).onDown(0).delayMs).toBeGreaterThan(124);
  });

  test("starts over after a stream that lived 5 s, and not before", () => {
    const policy = new RedialPolicy(() => 0.5);
    for (let turn = 0; turn < 4; turn++) policy.onDown(0);
    policy.onUp(1000);
    expect(policy.onDown(5999)).toEqual({ delayMs: 1600, settled: false });
    policy.onUp(6000);
    expect(policy.onDown(11_000)).toEqual({ delayMs: 100, settled: true });
    expect(policy.onDown(99_000)).toEqual({ delayMs: 200, settled: false });
  });
});

describe("an address filter", () => {
  test.each([
    { given: ["192.0.2.1"], address: "192.0.2.1", allowed: true },
    { given: ["192.0.2.1"], address: "192.0.2.2", allowed: false },
    { given: ["192.0.2.1"], address: "::ffff:192.0.2.1", allowed: true },
    { given: ["::ffff:192.0.2.1"], address: "192.0.2.1", allowed: true },
    { given: ["192.0.2.0/24"], address: "192.0.2.255", allowed: true },
    { given: ["192.0.2.0/24"], address: "::ffff:192.0.2.255", allowed: true },
    { given: ["192.0.2.0/24"], address: "192.0.3.0", allowed: false },
    { given: ["::ffff:192.0.2.0/120"], address: "192.0.2.9", allowed: true },
    { given: ["::ffff:192.0.2.0/120"], address: "192.0.3.9", allowed: false },
    { given: ["0.0.0.0/0"], address: "203.0.113.9", allowed: true },
    { given: ["2001:DB8:0::1"], address: "2001:db8::1", allowed: true },
    { given: ["2001:db8::/32"], address: "2001:db8:ffff::9", allowed: true },
    { given: ["2001:db8::/32"], address: "2001:db9::", allowed: false },
    { given: ["fe80::1"], address: "fe80::1%eth0", allowed: true },
    { given: [], address: "192.0.2.1", allowed: false },
  ])("of $given says $allowed to $address, from either list", ({ given, address, allowed }) => {
    expect(new AddressFilter(given).allows(address)).toBe(allowed);
    if (given.some((block) => block.includes("/"))) return;
    const filter = new AddressFilter(["198.51.100.0/24"]);
    filter.allowOnly(given);
    expect(filter.allows(address)).toBe(allowed);
    expect(filter.allows("198.51.100.7")).toBe(true);
  });

  test("forgets the addresses it allowed before", () => {
    const filter = new AddressFilter([]);
    filter.allowOnly(["192.0.2.1"]);
    expect(filter.allows("192.0.2.1")).toBe(true);
    filter.allowOnly(["192.0.2.2"]);
    expect(filter.allows("192.0.2.1")).toBe(false);
    expect(filter.allows("192.0.2.2")).toBe(true);
  });
});
