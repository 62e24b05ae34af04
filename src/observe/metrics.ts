/**
 * Tunnels as Prometheus metrics. Nothing is counted here: each scrape takes a snapshot of every tunnel.
 */

import { Counter, Gauge, type Histogram, Registry } from "prom-client";
import type { DelayHistogram } from "./delay-histogram.ts";
import { COUNTERS, type Definition, GAUGES, type Sample } from "./metric-table.ts";
import type { DelayStats, TunnelStats, Tunnels } from "./stats.ts";

const MS_PER_S = 1000;

const DELAY = { name: "udptunnel_queue_delay_seconds", help: "How long frames waited for TCP." };
const LATENESS = {
  name: "udptunnel_event_loop_lag_seconds",
  help: "How late a timer of 100 ms ran.",
};

/** Metrics of the process, not of one tunnel. */
export interface ProcessFigures {
  /** How late the event loop was. */
  readonly lateness: DelayHistogram;
  /** How many log lines were dropped. */
  readonly droppedLines: () => number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #tunnels: Tunnels;
  #snapshots: ReadonlyMap<string, TunnelStats> = new Map();

  /** @param version what `udptunnel_build_info` says. */
  constructor(tunnels: Tunnels, version: string, { lateness, droppedLines }: ProcessFigures) {
    this.#tunnels = tunnels;
    const registers = [this.#registry];
    for (const [Kind, definitions] of [
      [Counter, COUNTERS],
      [Gauge, GAUGES],
    ] as const) {
      for (const { name, help, labels = [], of } of definitions) {
        const metric = new Kind({ name, help, labelNames: ["tunnel", ...labels], registers });
        Object.assign(metric, { collect: () => this.#fill(metric, of) });
      }
    }
    this.#addHistogram(DELAY, () =>
      [...this.#snapshots].flatMap(([tunnel, { delay }]) => samplesOf(DELAY.name, delay, { tunnel })),
    );
    this.#addHistogram(LATENESS, () => samplesOf(LATENESS.name, lateness, {}));
    const dropped = new Counter({
      name: "udptunnel_log_lines_dropped_total",
      help: "Log lines dropped because stderr was not read in time.",
      registers,
    });
    Object.assign(dropped, {
      collect() {
        dropped.reset();
        dropped.inc(droppedLines());
      },
    });
    new Gauge({
      name: "udptunnel_build_info",
      help: "What runs; always 1.",
      labelNames: ["version", "bun"],
      registers,
    })
      .labels(version, process.versions.bun ?? "")
      .set(1);
  }

  /** The media type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything now, in Prometheus' text format. */
  async text(): Promise<string> {
    this.#snapshots = new Map([...this.#tunnels()].map(([name, tunnel]) => [name, tunnel.stats()]));
    return await this.#registry.metrics();
  }

  /** A histogram that reads our counts, which prom-client's own cannot. The registry needs only this. */
  #addHistogram(about: { name: string; help: string }, values: () => HistogramSample[]): void {
    const metric = {
      name: about.name,
      get: async () => ({ ...about, type: "histogram", values: values() }),
    };
    this.#registry.registerMetric(metric as unknown as Histogram);
  }

  #fill(metric: Counter | Gauge, of: Definition["of"]): void {
    metric.reset();
    for (const [tunnel, stats] of this.#snapshots) {
      const found = of(stats);
      if (found === undefined) continue;
      const samples: Iterable<Sample> = typeof found === "number" ? [[{}, found]] : found;
      for (const [labels, value] of samples) metric.inc({ tunnel, ...labels }, value);
    }
  }
}

interface HistogramSample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The buckets added up, as Prometheus wants them. */
function samplesOf(
  name: string,
  { boundsMs, counts, sumMs }: Pick<DelayStats, "boundsMs" | "sumMs"> & { counts: Iterable<number> },
  labels: HistogramSample["labels"],
): HistogramSample[] {
  let upTo = 0;
  const buckets = [...counts].map((count, index) => {
    upTo += count;
    const bound = boundsMs[index];
    const le = bound === undefined ? "+Inf" : String(bound / MS_PER_S);
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: upTo };
  });
  const rest = (suffix: string, value: number) => ({ metricName: name + suffix, labels, value });
  return [...buckets, rest("_sum", sumMs / MS_PER_S), rest("_count", upTo)];
}
