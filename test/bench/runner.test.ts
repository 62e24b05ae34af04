import { expect, test } from "bun:test";
import { PLANS } from "../../bench/e2e/plans.ts";
import { nothing } from "../../bench/e2e/relays.ts";
import { runAll } from "../../bench/e2e/runner.ts";
import type { Plan, Round } from "../../bench/e2e/scenario.ts";
import { SCENARIOS } from "../../bench/e2e/scenarios/index.ts";

async function samplesOf(run: Round["run"]) {
  const round: Round = { rate: 1000, parts: ["first second", "settled"], run };
  const scenario = { name: "any", title: "", columns: [], rounds: () => [round] };
  const plan = { repeats: 1 } as Plan;
  const { samples } = await runAll({ scenarios: [scenario], relays: [nothing], plan });
  return samples;
}

test("each part of a run is a sample of its own", async () => {
  const samples = await samplesOf(async () => [
    { detail: "first second", values: { cpuUs: 2 } },
    { detail: "settled", values: { cpuUs: 1 } },
  ]);
  expect(samples).toMatchObject([
    { rate: 1000, detail: "first second", values: { cpuUs: 2 } },
    { rate: 1000, detail: "settled", values: { cpuUs: 1 } },
  ]);
});

test("a run that fails is a failed sample of each of its parts", async () => {
  const samples = await samplesOf(() => Promise.reject(new Error("died")));
  expect(samples.map(({ detail, failed }) => [detail, failed])).toEqual([
    ["first second", "died"],
    ["settled", "died"],
  ]);
});

test("a plan names only scenarios that exist", () => {
  const all = SCENARIOS.map(({ name }) => name);
  for (const plan of Object.values<Plan>(PLANS))
    expect(all).toEqual(expect.arrayContaining([...(plan.only ?? [])]));
});
