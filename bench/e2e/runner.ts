/**
 * Runs the rounds of the scenarios. The relays alternate, so that a disturbance of the machine affects all of
 * them.
 */

import { choosePlace, type GivenPorts } from "./place.ts";
import type { Relay } from "./relays.ts";
import type { Context, Plan, Round, Sample, Scenario } from "./scenario.ts";

/** The approximate time to start the processes of a cell, wait for its last datagrams and end it. */
const OVERHEAD_S = 0.6;

export interface Run {
  scenarios: readonly Scenario[];
  relays: readonly Relay[];
  plan: Plan;
  ports?: GivenPorts | undefined;
  /** Called before each cell with its name and the number of finished cells. */
  onCell?: (label: string, done: number, total: number) => void;
  /** Called before the first cell with the approximate duration of all cells. */
  onStart?: (seconds: number) => void;
  /** Called after each round with all results so far, so that an interruption does not lose them. */
  onRound?: (result: RunResult) => void;
}

export interface RunResult {
  samples: Sample[];
  /** Relays and scenarios that were not measured, with the reason. */
  leftOut: string[];
}

/**
 * Measures all cells. A cell that fails becomes a failed sample; only a given port that is in use ends the
 * run.
 */
export async function runAll({
  scenarios,
  relays,
  plan,
  ports,
  onStart,
  onCell,
  onRound,
}: Run): Promise<RunResult> {
  const result: RunResult = { samples: [], leftOut: [] };
  const context: Context = { plan, choosePlace: () => choosePlace(ports) };
  await context.choosePlace();
  const rounds = scenarios.flatMap((scenario) => {
    const reason = scenario.leftOut?.();
    if (reason !== undefined) result.leftOut.push(`${scenario.name}: ${reason}`);
    return reason === undefined ? scenario.rounds(plan).map((round) => ({ scenario, round })) : [];
  });
  const contenders = ({ relays: own = relays, reference }: Scenario) =>
    reference === undefined ? own : [...own, reference];
  const total = rounds.reduce((sum, { scenario }) => sum + contenders(scenario).length * plan.repeats, 0);
  const secondsOf = ({ scenario, round }: (typeof rounds)[number]) =>
    contenders(scenario).filter((relay) => round.leftOut?.(relay) === undefined).length *
    plan.repeats *
    (OVERHEAD_S + (round.seconds ?? plan.warmUpSeconds + plan.seconds));
  onStart?.(rounds.reduce((sum, one) => sum + secondsOf(one), 0));
  let done = 0;
  for (const { scenario, round } of rounds) {
    const taking = contenders(scenario).filter((relay) => takesPart(scenario, round, relay, result));
    done += (contenders(scenario).length - taking.length) * plan.repeats;
    for (let repeat = 0; repeat < plan.repeats; repeat++) {
      // Every second repeat is in reverse order, so that no relay always follows the same one.
      for (const relay of repeat % 2 === 0 ? taking : taking.toReversed()) {
        onCell?.(label(scenario, round, relay), done++, total);
        result.samples.push(...(await measure(scenario, round, relay, repeat, context)));
      }
    }
    onRound?.(result);
  }
  onCell?.("", total, total);
  return result;
}

function takesPart(scenario: Scenario, round: Round, relay: Relay, result: RunResult): boolean {
  const earlier = result.samples.filter(
    (sample) => sample.scenario === scenario.name && sample.relay === relay.name,
  );
  const reason = round.leftOut?.(relay) ?? round.hopeless?.(earlier);
  if (reason === undefined) return true;
  const line = `${scenario.name}, ${relay.name}: ${reason}`;
  if (!result.leftOut.includes(line)) result.leftOut.push(line);
  return false;
}

async function measure(
  scenario: Scenario,
  round: Round,
  relay: Relay,
  repeat: number,
  context: Context,
): Promise<Sample[]> {
  const { size, rate, detail } = round;
  const sample: Sample = { scenario: scenario.name, relay: relay.name, size, rate, detail, repeat };
  try {
    const outcome = await round.run(relay, context);
    return [outcome].flat().map((one) => ({ ...sample, ...one }));
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    return (round.parts ?? [detail]).map((detail) => ({ ...sample, detail, failed }));
  }
}

function label(scenario: Scenario, { size, rate, detail }: Round, relay: Relay): string {
  const conditions = [size && `${size} B`, rate && `${rate}/s`, detail].filter(Boolean).join(" ");
  return `${scenario.name} ${conditions} ${relay.name}`;
}
