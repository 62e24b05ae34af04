import { expect, test } from "bun:test";
import { Pacer } from "../../src/net/pacer.ts";
import { VirtualClock } from "../support/memory/virtual-clock.ts";

/** A connection that logs its calls, with the time. */
function connection(name: string, clock: VirtualClock, log: string[]) {
  const note = (what: string) => () => void log.push(`${name} ${what} at ${clock.now()}`);
  return { name, pause: note("pauses"), resume: note("resumes") };
}

test("one connection starts at once, the others one per interval, except removed ones", async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  const pacer = new Pacer<ReturnType<typeof connection>>(clock, 5, ({ name }) => void resumed.push(name));
  const resumed: string[] = [];
  const removed = connection("c", clock, log);
  for (const name of ["a", "b"]) pacer.add(connection(name, clock, log));
  pacer.add(removed);
  pacer.add(connection("d", clock, log));
  expect(log).toEqual(["b pauses at 0", "c pauses at 0", "d pauses at 0"]);
  pacer.remove(removed);
  await clock.advance(12);
  expect(log.slice(3)).toEqual(["b resumes at 5", "d resumes at 10"]);
  pacer.add(connection("e", clock, log));
  expect(log.at(-1)).toBe("e pauses at 12");
  await clock.advance(20);
  expect(log.at(-1)).toBe("e resumes at 15");
  pacer.add(connection("f", clock, log)); // isolated, so it is not delayed
  expect(log.at(-1)).toBe("e resumes at 15");
  await clock.advance(5);
  expect(clock.pending).toBe(0);
  expect(resumed).toEqual(["b", "d", "e"]);
});
