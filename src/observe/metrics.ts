/**
 * Every Prometheus metric, as text. Each scrape takes one snapshot of every tunnel; nothing is counted here.
 */

import type { DelayHistogram } from "./delay-histogram.ts";
import { TUNNEL_METRICS, type TunnelMetric } from "./metric-table.ts";
import { type Histogram, type Metric, prometheusText, type Sample } from "./prometheus-text.ts";
import type { DelayStats, TunnelStats, Tunnels } from "./stats.ts";

const MS_PER_S = 1000;

/** Figures of the process, not of one tunnel. */
export interface ProcessFigures {
  readonly version: string;
  /** How late the event loop ran its timers. */
  readonly eventLoopLag: DelayHistogram;
  /** How many log lines were dropped. */
  readonly droppedLogLines: () => number;
}

type Snapshots = readonly (readonly [tunnel: string, stats: TunnelStats])[];

/** The metrics of all tunnels and of the process, in Prometheus' text format. */
export function metricsText(tunnels: Tunnels, figures: ProcessFigures): string {
  const snapshots = [...tunnels()].map(([name, tunnel]) => [name, tunnel.stats()] as const);
  return prometheusText([
    ...TUNNEL_METRICS.map((metric) => ({ ...metric, samples: samplesOf(metric, snapshots) })),
    {
      name: "udptunnel_queue_delay_seconds",
      type: "histogram",
      help: "Time that frames waited in the queue for TCP.",
      samples: snapshots.map(([tunnel, { delay }]) => [{ tunnel }, inSeconds(delay)]),
    },
    ...processMetrics(figures),
  ]);
}

/** Adds the label `tunnel`. */
function* samplesOf({ of }: TunnelMetric, snapshots: Snapshots): Generator<Sample> {
  for (const [tunnel, stats] of snapshots) {
    const found = of(stats);
    if (typeof found === "number") yield [{ tunnel }, found];
    else for (const [labels, value] of found ?? []) yield [{ tunnel, ...labels }, value];
  }
}

function processMetrics({ version, eventLoopLag, droppedLogLines }: ProcessFigures): Metric[] {
  return [
    {
      name: "udptunnel_event_loop_lag_seconds",
      type: "histogram",
      help: "How late a timer of 100 ms ran.",
      samples: [[{}, inSeconds(eventLoopLag)]],
    },
    {
      name: "udptunnel_log_lines_dropped_total",
      type: "counter",
      help: "Log lines dropped because stderr was not read in time.",
      samples: [[{}, droppedLogLines()]],
    },
    {
      name: "udptunnel_build_info",
      type: "gauge",
      help: "The versions of udptunnel and Bun; always 1.",
      samples: [[{ version, bun: process.versions.bun ?? "" }, 1]],
    },
  ];
}

function inSeconds({ boundsMs, counts, sumMs }: DelayStats | DelayHistogram): Histogram {
  return { bounds: boundsMs.map((ms) => ms / MS_PER_S), counts, sum: sumMs / MS_PER_S };
}
