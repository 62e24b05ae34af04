/**
 * Writes metrics in Prometheus' text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
 */

/** The media type of the format. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

/** The count of each bucket alone; the last bucket has no upper bound. */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: Iterable<number>;
  readonly sum: number;
}

/** One value of a metric; its labels distinguish it from the metric's other values. */
export type Sample = readonly [labels: Labels, value: number | Histogram];

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: Iterable<Sample>;
}

/** All metrics as one text. Each name may occur once. */
export function prometheusText(metrics: Iterable<Metric>): string {
  let text = "";
  for (const { name, type, help, samples } of metrics) {
    text += `# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}\n# TYPE ${name} ${type}\n`;
    for (const [labels, value] of samples)
      text += typeof value === "number" ? line(name, labels, value) : histogramLines(name, labels, value);
  }
  return text;
}

/** The format wants cumulative buckets, the last of which is `+Inf` and equals the count. */
function histogramLines(name: string, labels: Labels, { bounds, counts, sum }: Histogram): string {
  let text = "";
  let total = 0;
  let index = 0;
  for (const count of counts) {
    total += count;
    text += line(`${name}_bucket`, { ...labels, le: numberText(bounds[index++] ?? Infinity) }, total);
  }
  return text + line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, total);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text.replace(/[\\\n"]/g, escaped)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${numberText(value)}\n`;
}

function escaped(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}

/** JavaScript's own text of a number is valid in the format, except for infinities. */
function numberText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
