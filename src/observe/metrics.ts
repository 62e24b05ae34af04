/**
 * Tunnels as Prometheus metrics. Nothing is counted here: each scrape takes a snapshot of every tunnel.
 */

import { Counter, Gauge, type Histogram, Registry } from "prom-client";
import { COUNTERS, type Definition, GAUGES, type Sample } from "./metric-table.ts";
import type { TunnelStats, Tunnels } from "./stats.ts";

const MS_PER_S = 1000;

const DELAY = {
  name: "udptunnel_queue_delay_seconds",
  help: "How long frames waited for TCP.",
  type: "histogram",
};

export class Metrics {
  readonly #registry = new Registry();
  readonly #tunnels: Tunnels;
  #snapshots: ReadonlyMap<string, TunnelStats> = new Map();

  /** @param version what `udptunnel_build_info` says. */
  constructor(tunnels: Tunnels, version: string) {
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
    // prom-client's own histograms count for themselves; of a metric the registry needs no more than this.
    const delay = { name: DELAY.name, get: async () => ({ ...DELAY, values: this.#delays() }) };
    this.#registry.registerMetric(delay as unknown as Histogram);
    new Gauge({
      name: "udptunnel_build_info",
      help: "What runs; always 1.",
      labelNames: ["version", "bun"],
      registers,
    })
      .labels(version, Bun.version)
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

  #delays() {
    return [...this.#snapshots].flatMap(([tunnel, { delay }]) => samplesOf(tunnel, delay));
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

/** The buckets added up, as Prometheus wants them. */
function samplesOf(tunnel: string, { boundsMs, counts, sumMs }: TunnelStats["delay"]) {
  let upTo = 0;
  const buckets = counts.map((count, index) => {
    upTo += count;
    const bound = boundsMs[index];
    const le = bound === undefined ? "+Inf" : String(bound / MS_PER_S);
    return { metricName: `${DELAY.name}_bucket`, labels: { tunnel, le }, value: upTo };
  });
  const rest = (suffix: string, value: number) => ({
    metricName: DELAY.name + suffix,
    labels: { tunnel },
    value,
  });
  return [...buckets, rest("_sum", sumMs / MS_PER_S), rest("_count", upTo)];
}
