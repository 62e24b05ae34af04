import { expect, test } from "bun:test";
import { firstAnswers } from "../../bench/e2e/scenarios/sessions.ts";

const source = (ms: number | undefined) => ({ ask: async () => ms });

test("sources without an answer do not count as answered", async () => {
  const all = [source(30), source(undefined), source(10)];
  expect(await firstAnswers(all)).toEqual({ firstMs: [10, 30], answered: [all[0], all[2]] as typeof all });
});

test("a relay that answers no source is a failure", async () => {
  const none = [source(undefined), source(undefined)];
  await expect(firstAnswers(none)).rejects.toThrow("no source had an answer");
});
