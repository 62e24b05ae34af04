import { expect, test } from "bun:test";
import { type StartTunnel, TunnelSet } from "../../src/cli/tunnel-set.ts";
import type { TunnelPlan } from "../../src/config/plan.ts";
import { TunnelError } from "../../src/errors.ts";
import { readServerOptions } from "../../src/options/settings.ts";
import type { Tunnel } from "../../src/tunnel/tunnel.ts";

/** A plan that differs from the others in its UDP port. */
const plan = (name: string, port: number): TunnelPlan => ({
  name,
  settings: readServerOptions({ listen: 5000, target: { host: "h", port } }),
});

/** A set of tunnels that are nothing but open or closed, and what it told. */
function scene() {
  const told: string[] = [];
  const broken = new Set<number>();
  const ends = new Map<number, { resolve(): void; reject(error: Error): void }>();
  const start: StartTunnel = async ({ target: { port } }) => {
    if (broken.has(port)) throw new TunnelError("ERR_LISTEN", `no ${port}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    ends.set(port, { resolve, reject });
    const close = async () => resolve();
    // Only what the set needs of a tunnel.
    return { closed: promise, close } as Partial<Tunnel> as Tunnel;
  };
  const set = new TunnelSet(
    {
      onEvent() {},
      onFailed: (name, { message }) => void told.push(`${name} failed: ${message}`),
      onAdded: (name) => void told.push(`+${name}`),
      onRemoved: (name) => void told.push(`-${name}`),
    },
    start,
  );
  return { set, told, broken, ends };
}

test("one that cannot start closes those before it, and those after it are not tried", async () => {
  const { set, told, broken } = scene();
  broken.add(2);
  await set.start([plan("a", 1), plan("b", 2), plan("c", 3)]);
  await set.closed;
  expect(told).toEqual(["+a", "b failed: no 2", "-a"]);
  expect(set.failed).toBe(true);
});

test("a reload closes all that must go before it starts what comes", async () => {
  const { set, told } = scene();
  await set.start([plan("kept", 1), plan("changed", 2), plan("gone", 3)]);
  told.length = 0;
  await set.reload([plan("new", 3), plan("changed", 4), plan("kept", 1)]);
  expect(told.slice(0, 2).toSorted()).toEqual(["-changed", "-gone"]);
  expect(told.slice(2)).toEqual(["+changed", "+new"]);
  expect([...set.tunnels.keys()].toSorted()).toEqual(["changed", "kept", "new"]);
});

test("one that cannot start with its new settings is as it was, and is tried again by the next reload", async () => {
  const { set, told, broken } = scene();
  await set.start([plan("a", 1)]);
  broken.add(2);
  await set.reload([plan("a", 2)]);
  expect(told).toEqual(["+a", "-a", "a failed: no 2", "+a"]);
  expect(set.failed).toBe(false);
  broken.clear();
  expect((await set.reload([plan("a", 2)])).changed).toEqual([plan("a", 2)]);
});

test("when nothing can be started any more the set is over, and has failed", async () => {
  const { set, broken } = scene();
  await set.start([plan("a", 1)]);
  broken.add(1).add(2);
  await set.reload([plan("a", 2)]);
  await set.closed;
  expect(set.failed).toBe(true);
});

test("what has ended by itself is started again by a reload", async () => {
  const { set, told, ends } = scene();
  await set.start([plan("a", 1), plan("b", 2)]);
  ends.get(1)?.resolve();
  ends.get(2)?.reject(new TunnelError("ERR_DIAL", "nobody there"));
  await set.closed;
  expect(told.toSorted()).toEqual(["+a", "+b", "-a", "-b", "b failed: nobody there"]);
  expect(set.failed).toBe(true);
  await set.reload([plan("a", 1), plan("b", 2)]);
  expect([...set.tunnels.keys()]).toEqual(["a", "b"]);
  expect(set.failed).toBe(false);
});

test("closing during the start ends it at once; what starts later is closed", async () => {
  const { set, told } = scene();
  const starting = set.start([plan("a", 1), plan("b", 2)]);
  void set.close();
  await set.closed;
  await starting;
  expect(told).toEqual(["+a", "-a"]);
  expect(set.failed).toBe(false);
});

test("a defect is no failure of a tunnel", async () => {
  const defect = new TypeError("a defect");
  const set = new TunnelSet({ onEvent() {}, onFailed() {} }, () => Promise.reject(defect));
  await set.start([plan("a", 1)]);
  expect(await set.closed.catch((error) => error)).toBe(defect);
});
