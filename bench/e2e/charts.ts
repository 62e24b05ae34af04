/** Draws charts of results as SVG, without a browser. */

import * as echarts from "echarts";
import { isWorthless } from "./instrument-limits.ts";
import type { Sample } from "./scenario.ts";
import { CPU, LOSS } from "./scenarios/load-columns.ts";
import { median, type Row, summarize } from "./statistics.ts";
import { conditionsOf, formatCount } from "./table.ts";
import { PERCENTILES } from "./tally.ts";

export interface Chart {
  /** The file name without folder and extension. */
  name: string;
  title: string;
  svg: string;
}

interface Drawing {
  name: string;
  title: string;
  xName: string;
  yName: string;
  x: "value" | "log" | readonly string[];
  y: "value" | "log";
  kind: "line" | "bar";
  series: { relay: string; data: (number | [number, number])[] }[];
}

const WIDTH = 760;
const HEIGHT = 380;
/**
 * The same colours in every chart: udptunnel blue, its variant lighter, the others different in hue and
 * lightness.
 */
const COLOURS = new Map([
  ["ours", "#1f5fbf"],
  ["ours --offload off", "#7fb0ea"],
  ["original", "#c2410c"],
  ["mullvad", "#4d7c0f"],
]);
const COLOUR_OF_OTHERS = "#7e22ce";

/** All charts for which the samples have figures. Repeats that generator or sink limited are left out. */
export function drawCharts(samples: readonly Sample[]): Chart[] {
  const sound = samples.filter((sample) => !isWorthless(sample));
  const rows = summarize(sound).filter((row) => row.runs > 0);
  return [...lossCharts(rows), ...latencyCharts(sound), ...cpuChart(rows), ...delayCharts(sound)].map(draw);
}

function lossCharts(rows: readonly Row[]): Drawing[] {
  const sweep = rows.filter(({ scenario }) => scenario === "rate");
  return [...Map.groupBy(sweep, ({ size }) => size)].map(([size, group]) => ({
    name: `loss-${size}`,
    title: `What is lost as more is offered, ${size}-byte datagrams`,
    xName: "offered, datagrams/s",
    yName: "lost, %",
    x: "value",
    y: "value",
    kind: "line",
    series: byRelay(group, (row) => [row.rate ?? 0, row.values[LOSS.key]?.median ?? 0]),
  }));
}

function latencyCharts(samples: readonly Sample[]): Drawing[] {
  const own = samples.filter(({ scenario, latencyUs }) => scenario === "latency" && latencyUs?.length);
  const conditions = ({ rate = 0, detail }: Sample) =>
    [`${formatCount(rate)} datagrams/s`, detail].filter(Boolean).join(", ");
  return [...Map.groupBy(own, conditions)].map(([at, group]) => ({
    name: ["latency", group[0]?.rate, ...(group[0]?.detail?.match(/[\w.]+/g) ?? [])].join("-"),
    title: `One-way latency at ${at}`,
    xName: "percentile",
    yName: "microseconds",
    x: PERCENTILES.map((percentile) => `${percentile}`),
    y: "log",
    kind: "line",
    series: [...Map.groupBy(group, ({ relay }) => relay)].map(([relay, repeats]) => ({
      relay,
      data: PERCENTILES.map((_, index) =>
        median(repeats.map(({ latencyUs }) => latencyUs?.[index] ?? Number.NaN)),
      ),
    })),
  }));
}

function cpuChart(rows: readonly Row[]): Drawing[] {
  const own = rows.filter(({ scenario }) => scenario === "flood" || scenario === "latency");
  const conditions = [...new Set(own.map(conditionsOf))];
  if (own.length === 0) return [];
  const relays = [...Map.groupBy(own, ({ relay }) => relay)];
  return [
    {
      name: "cpu",
      title: "Processor time of both ends for each datagram delivered",
      xName: "offered",
      yName: "microseconds",
      x: conditions,
      y: "value",
      kind: "bar",
      series: relays.map(([relay, group]) => ({
        relay,
        data: conditions.map((condition) => {
          const row = group.find((row) => conditionsOf(row) === condition);
          return row?.values[CPU.key]?.median ?? Number.NaN;
        }),
      })),
    },
  ];
}

/** The first repeat of each relay: a median over repeats would not be a real course over time. */
function delayCharts(samples: readonly Sample[]): Drawing[] {
  const own = samples.filter(
    ({ scenario, repeat, timeline }) => scenario === "slow-link" && repeat === 0 && timeline,
  );
  return [...Map.groupBy(own, ({ detail }) => detail)].map(([detail, group], index) => ({
    name: `delay-${index + 1}`,
    title: `One-way delay, ${detail}`,
    xName: "seconds",
    yName: "median delay, ms",
    x: "value",
    y: "value",
    kind: "line",
    series: group.map(({ relay, timeline }) => ({
      relay,
      data: (timeline ?? []).map(({ atS, p50Us }): [number, number] => [atS, p50Us / 1000]),
    })),
  }));
}

function byRelay(rows: readonly Row[], point: (row: Row) => [number, number]): Drawing["series"] {
  return [...Map.groupBy(rows, ({ relay }) => relay)].map(([relay, group]) => ({
    relay,
    data: group.map(point),
  }));
}

function draw({ name, title, xName, yName, x, y, kind, series }: Drawing): Chart {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  const axisName = { nameLocation: "middle" as const, nameTextStyle: { fontSize: 13 } };
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: { text: title, left: "center", top: 8, textStyle: { fontSize: 15 } },
    legend: { top: 34, itemGap: 32 },
    grid: { left: 72, right: 32, top: 72, bottom: kind === "bar" ? 96 : 56 },
    xAxis: {
      ...axisName,
      name: xName,
      nameGap: kind === "bar" ? 72 : 32,
      ...(kind === "bar" && { axisLabel: { interval: 0, width: 100, overflow: "break" as const } }),
      ...(typeof x === "string" ? { type: x } : { type: "category", data: [...x] }),
    },
    yAxis: { ...axisName, type: y, name: yName, nameGap: 52 },
    series: series.map(({ relay, data }) => ({
      name: relay,
      color: COLOURS.get(relay) ?? COLOUR_OF_OTHERS,
      type: kind,
      data: data.map((value) => (Number.isNaN(value) ? "-" : value)),
      ...(kind === "line" && { showSymbol: data.length < 30, symbolSize: 7 }),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return { name, title, svg };
}
