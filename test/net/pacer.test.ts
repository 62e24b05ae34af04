import { expect, test } from "bun:test";
import { Pacer } from "../../src/net/pacer.ts";
import { VirtualClock } from "../support/memory/virtual-clock.ts";

/** A stream that says what is done to it, and when. */
function stream(name: string, clock: VirtualClock, log: string[]) {
  const say = (what: string) => () => void log.push(`${name} ${what} at ${clock.now()}`);
  return { name, pause: say("waits"), resume: say("begins") };
}

test("one begins at once, the others one after the other, and whoever has left has no turn", async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  const pacer = new Pacer<ReturnType<typeof stream>>(clock, 5, ({ name }) => void begun.push(name));
  const begun: string[] = [];
  const leaving = stream("c", clock, log);
  for (const name of ["a", "b"]) pacer.add(stream(name, clock, log));
  pacer.add(leaving);
  pacer.add(stream("d", clock, log));
  expect(log).toEqual(["b waits at 0", "c waits at 0", "d waits at 0"]);
  pacer.remove(leaving);
  await clock.advance(12);
  expect(log.slice(3)).toEqual(["b begins at 5", "d begins at 10"]);
  pacer.add(stream("e", clock, log));
  expect(log.at(-1)).toBe("e waits at 12");
  await clock.advance(20);
  expect(log.at(-1)).toBe("e begins at 15");
  pacer.add(stream("f", clock, log)); // comes alone
  expect(log.at(-1)).toBe("e begins at 15");
  await clock.advance(5);
  expect(clock.pending).toBe(0);
  expect(begun).toEqual(["b", "d", "e"]);
});
