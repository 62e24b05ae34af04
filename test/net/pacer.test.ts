import { expect, test } from "bun:test";
import { VirtualClock } from "../support/memory/virtual-clock.ts";
import { Turnstile } from "../../src/net/pacer.ts";

/** A stream that says what is done to it, and when. */
function entrant(name: string, clock: VirtualClock, log: string[]) {
  const say = (what: string) => () => void log.push(`${name} ${what} at ${clock.now()}`);
  return { name, pause: say("waits"), resume: say("begins") };
}

test("one begins at once, the others one after the other, and whoever has left has no turn", async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  const turnstile = new Turnstile<ReturnType<typeof entrant>>(clock, 5, ({ name }) => void begun.push(name));
  const begun: string[] = [];
  const leaving = entrant("c", clock, log);
  for (const name of ["a", "b"]) turnstile.enter(entrant(name, clock, log));
  turnstile.enter(leaving);
  turnstile.enter(entrant("d", clock, log));
  expect(log).toEqual(["b waits at 0", "c waits at 0", "d waits at 0"]);
  turnstile.leave(leaving);
  await clock.advance(12);
  expect(log.slice(3)).toEqual(["b begins at 5", "d begins at 10"]);
  turnstile.enter(entrant("e", clock, log));
  expect(log.at(-1)).toBe("e waits at 12");
  await clock.advance(20);
  expect(log.at(-1)).toBe("e begins at 15");
  turnstile.enter(entrant("f", clock, log)); // comes alone
  expect(log.at(-1)).toBe("e begins at 15");
  await clock.advance(5);
  expect(clock.pending).toBe(0);
  expect(begun).toEqual(["b", "d", "e"]);
});
