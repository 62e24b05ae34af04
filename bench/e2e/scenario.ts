/** A scenario: rounds of cells that differ only in the relay, and the columns of their figures. */

import type { Place, Relay } from "./relays.ts";
import type { TallyReport } from "./tally.ts";

/** A time span in seconds from the start of the counted load. */
export interface Span {
  fromS: number;
  toS: number;
}

/** How much to measure. */
export interface Plan {
  name: "quick" | "full" | "table" | "tiny";
  /** The scenarios of this plan; all of them when missing. */
  only?: readonly string[];
  /** Whether udptunnel is also measured with other options. The default is true. */
  variants?: boolean;
  /** Payload bytes of throughput scenarios. Scenarios with one size use the first. */
  sizes: number[];
  /** Datagrams a second of the rate sweep, ascending. */
  rates: number[];
  /** Datagrams a second at which latency is measured. */
  latencyRates: number[];
  /** The parts of a latency load with figures of their own. It starts without a warm-up. */
  latencySpans: readonly Span[];
  /** Datagrams a second of a flood, by payload bytes. */
  floodRate(size: number): number;
  /** Datagrams a second each way with traffic in both directions. */
  bothRate: number;
  sources: number[];
  /** Numbers of sessions to open. */
  sessions: number[];
  /** Numbers of sessions whose targets flood them next to a quiet session. */
  floodingSessions: number[];
  /** Numbers of TCP peers that flood a server next to a quiet session. */
  floodingPeers: number[];
  seconds: number;
  warmUpSeconds: number;
  /** The seconds of load on each congested path, and the names of the paths. */
  linkSeconds: number;
  links: readonly string[];
  /** The seconds to wait for datagrams after a server has restarted. */
  reconnectSeconds: number;
  /** The pings through WireGuard, before and after iperf3, and the seconds of iperf3. */
  pings: number;
  iperfSeconds: number;
  repeats: number;
}

/** The result of one run of a cell. */
export interface Outcome {
  /** By column key. */
  values: Record<string, number>;
  /** Notes that a reader needs to judge the figures. */
  notes?: string[];
  /** The latency at each of PERCENTILES, for a chart. */
  latencyUs?: number[];
  timeline?: TallyReport["timeline"];
}

/** One part of a run, with a row of its own. */
export interface Part extends Outcome {
  detail: string;
}

/** One figure of a scenario. */
export interface Column {
  key: string;
  label: string;
  unit: string;
  digits: number;
  /** Which values are better. A column without it is not compared. */
  better?: "lower" | "higher";
}

/** One combination of conditions, measured for every relay in turn. */
export interface Round {
  size?: number;
  /** Datagrams a second offered. */
  rate?: number;
  /** Other conditions of this round. */
  detail?: string;
  /** The duration of its load, if it differs from the plan. */
  seconds?: number;
  /** The details of its rows when one run has several. */
  parts?: readonly string[];
  /**
   * Measures one relay. @returns one outcome, or one for each of `parts`. An exception makes the samples
   * failed ones, with its message as the reason.
   */
  run(relay: Relay, context: Context): Promise<Outcome | readonly Part[]>;
  /** The reason not to measure this relay, from its earlier samples; undefined to measure it. */
  hopeless?(earlier: readonly Sample[]): string | undefined;
  /** The reason why this relay cannot take part; undefined when it can. */
  leftOut?(relay: Relay): string | undefined;
}

export interface Context {
  plan: Plan;
  choosePlace(): Promise<Place>;
}

export interface Scenario {
  name: string;
  /** The heading of its table. */
  title: string;
  columns: readonly Column[];
  /** The reason why it cannot run here; undefined when it can. */
  leftOut?(): string | undefined;
  /** Relays to measure instead of those of the run. */
  readonly relays?: readonly Relay[];
  /** Measured after the relays, for comparison. */
  readonly reference?: Relay;
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
  /** The reason when there are no values. */
  failed?: string;
}
