import { expect, test } from "bun:test";
import { Lifecycle } from "../../src/tunnel/closing.ts";

test("an observer that ends the tunnel again while it is being ended does not end it twice", async () => {
  const phases: string[] = [];
  const lifecycle: Lifecycle = new Lifecycle(async () => {
    phases.push(lifecycle.phase);
    void lifecycle.end(new Error("too late"));
  });
  const ended = lifecycle.end();
  expect(lifecycle.end()).toBe(ended);
  await ended;
  await lifecycle.closed;
  expect(phases).toEqual(["closing"]);
  expect(lifecycle.phase).toBe("closed");
});
