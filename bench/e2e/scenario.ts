/** What a scenario is: rounds of cells that differ only in the relay, and how their figures are read. */

import type { Place, Relay } from "./relays.ts";
import type { TallyReport } from "./tally.ts";

/** How much is measured. */
export interface Plan {
  name: "quick" | "full" | "tiny";
  /** Payload bytes of throughput scenarios; the first one is used where one is enough. */
  sizes: number[];
  /** Datagrams a second of the rate sweep, ascending. */
  rates: number[];
  /** Datagrams a second at which latency is measured. */
  latencyRates: number[];
  /** Offered when flooding, by payload bytes. */
  floodRate(size: number): number;
  /** Datagrams a second each way with traffic in both directions. */
  bothRate: number;
  sources: number[];
  /** Sessions that are opened and kept. */
  sessions: number[];
  /** TCP peers that flood a server beside a quiet session, each number in turn. */
  floodingPeers: number[];
  seconds: number;
  warmUpSeconds: number;
  /** Seconds of load on each congested path, and which of the paths. */
  linkSeconds: number;
  links: readonly string[];
  /** Seconds to wait for datagrams once a server is back. */
  reconnectSeconds: number;
  repeats: number;
}

/** What one run of a cell found. */
export interface Outcome {
  /** By column key. */
  values: Record<string, number>;
  /** What a reader must know to judge the figures. */
  notes?: string[];
  /** At each of PERCENTILES, for a chart. */
  latencyUs?: number[];
  timeline?: TallyReport["timeline"];
}

/** One figure of a scenario. */
export interface Column {
  key: string;
  label: string;
  unit: string;
  digits: number;
  /** Which way is good; what has none is not compared. */
  better?: "lower" | "higher";
}

/** One combination of conditions, measured for every relay in turn. */
export interface Round {
  size?: number;
  /** Datagrams a second offered. */
  rate?: number;
  /** What else distinguishes this round. */
  detail?: string;
  /** How long its load takes, where that is not what the plan says of all. */
  seconds?: number;
  /** Measures one relay. What it throws makes the row a failed one, with the message as its reason. */
  run(relay: Relay, context: Context): Promise<Outcome>;
  /** Why it is not worth measuring, given what came of this relay so far; undefined when it is. */
  hopeless?(earlier: readonly Sample[]): string | undefined;
  /** Why this relay cannot take part; undefined when it can. */
  leftOut?(relay: Relay): string | undefined;
}

export interface Context {
  plan: Plan;
  choosePlace(): Promise<Place>;
}

export interface Scenario {
  name: string;
  /** What it shows, as a heading. */
  title: string;
  columns: readonly Column[];
  /** Why it cannot run here; undefined when it can. */
  leftOut?(): string | undefined;
  /** Measured instead of the relays of the run. */
  readonly relays?: readonly Relay[];
  rounds(plan: Plan): Round[];
}

/** One repeat of one cell, as results keep it. */
export interface Sample extends Partial<Outcome> {
  scenario: string;
  relay: string;
  size?: number | undefined;
  rate?: number | undefined;
  detail?: string | undefined;
  repeat: number;
  /** Why there are no values. */
  failed?: string;
}
