import { expect, test } from "bun:test";
import { type StartTunnel, TunnelSet } from "../../src/cli/tunnel-set.ts";
import type { TunnelPlan } from "../../src/config/plan.ts";
import { TunnelError } from "../../src/errors.ts";
import { readServerOptions } from "../../src/options/settings.ts";
import type { Tunnel } from "../../src/tunnel/tunnel.ts";

/** A plan. Plans differ in their UDP port. */
const plan = (name: string, port: number): TunnelPlan => ({
  name,
  settings: readServerOptions({ listen: 5000, target: { host: "h", port } }),
});

/** A set of stand-in tunnels, which only open and close. The log has the UDP port of each that starts. */
function scene() {
  const log: string[] = [];
  const broken = new Set<number>();
  const ends = new Map<number, { resolve(): void; reject(error: Error): void }>();
  const start: StartTunnel = async ({ target: { port } }) => {
    if (broken.has(port)) throw new TunnelError("ERR_LISTEN", `no ${port}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    ends.set(port, { resolve, reject });
    log.push(`+${port}`);
    const close = async () => resolve();
    // The parts of a tunnel that the set uses.
    return { closed: promise, close } as Partial<Tunnel> as Tunnel;
  };
  const set = new TunnelSet(
    {
      onEvent() {},
      onFailed: (name, { message }) => void log.push(`${name} failed: ${message}`),
      onRemoved: (name) => void log.push(`-${name}`),
      traceOf: () => undefined,
    },
    start,
  );
  return { set, log, broken, ends };
}

test("when one tunnel cannot start, the earlier ones are closed and the later ones not started", async () => {
  const { set, log, broken } = scene();
  broken.add(2);
  await set.start([plan("a", 1), plan("b", 2), plan("c", 3)]);
  await set.closed;
  expect(log).toEqual(["+1", "b failed: no 2", "-a"]);
  expect(set.failed).toBe(true);
});

test("a reload closes removed and changed tunnels before it starts any tunnel", async () => {
  const { set, log } = scene();
  await set.start([plan("kept", 1), plan("changed", 2), plan("gone", 3)]);
  log.length = 0;
  await set.reload([plan("new", 3), plan("changed", 4), plan("kept", 1)]);
  expect(log.slice(0, 2).toSorted()).toEqual(["-changed", "-gone"]);
  expect(log.slice(2)).toEqual(["+4", "+3"]);
  expect([...set.tunnels.keys()].toSorted()).toEqual(["changed", "kept", "new"]);
});

test("a tunnel that cannot start with new settings runs with its former ones", async () => {
  const { set, log, broken } = scene();
  await set.start([plan("a", 1)]);
  broken.add(2);
  await set.reload([plan("a", 2)]);
  expect(log).toEqual(["+1", "-a", "a failed: no 2", "+1"]);
  expect(set.failed).toBe(false);
  broken.clear();
  expect((await set.reload([plan("a", 2)])).changed).toEqual([plan("a", 2)]);
});

test("the set closes as failed when no tunnel can start", async () => {
  const { set, broken } = scene();
  await set.start([plan("a", 1)]);
  broken.add(1).add(2);
  await set.reload([plan("a", 2)]);
  await set.closed;
  expect(set.failed).toBe(true);
});

test("a reload starts a tunnel again that has ended by itself", async () => {
  const { set, log, ends } = scene();
  await set.start([plan("a", 1), plan("b", 2)]);
  ends.get(1)?.resolve();
  ends.get(2)?.reject(new TunnelError("ERR_DIAL", "refused"));
  await set.closed;
  expect(log.toSorted()).toEqual(["+1", "+2", "-a", "-b", "b failed: refused"]);
  expect(set.failed).toBe(true);
  await set.reload([plan("a", 1), plan("b", 2)]);
  expect([...set.tunnels.keys()]).toEqual(["a", "b"]);
  expect(set.failed).toBe(false);
});

test("close() during the start takes effect at once, and a tunnel that starts later is closed", async () => {
  const { set, log } = scene();
  const starting = set.start([plan("a", 1), plan("b", 2)]);
  void set.close();
  await set.closed;
  await starting;
  expect(log).toEqual(["+1", "-a"]);
  expect(set.failed).toBe(false);
});

test("a defect of the program rejects `closed` and is not reported as a failed tunnel", async () => {
  const defect = new TypeError("a defect");
  const listener = { onEvent() {}, onFailed() {}, onRemoved() {}, traceOf: () => undefined };
  const set = new TunnelSet(listener, () => Promise.reject(defect));
  await set.start([plan("a", 1)]);
  expect(await set.closed.catch((error) => error)).toBe(defect);
});
