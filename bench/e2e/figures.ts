/** The figures of the README, from results: throughput, cost and latency. */

import { isWorthless } from "./instrument-limits.ts";
import { busyWarning, type Results } from "./results.ts";
import type { Sample } from "./scenario.ts";
import { DELIVERED } from "./scenarios/load-columns.ts";
import { cellOf, highestRates, type Row, summarize } from "./statistics.ts";
import { formatCount, formatHighestRate, markdownTable } from "./table.ts";
import { TIMER_MS } from "./timer-report.ts";

/** A result and its file name without folder and extension. */
export interface NamedResults {
  name: string;
  results: Results;
}

/** The headings of the columns, by the name of the relay. */
const HEADINGS = new Map([
  ["ours", "udptunnel"],
  ["ours --offload off", "`--offload off`"],
  ["ours --tls", "`--tls`"],
  ["original", "the original"],
  ["mullvad", "Mullvad's"],
  ["udp-over-tcp", "`udp-over-tcp`"],
]);
const NOTHING = "-";

/** One line of the table. */
interface Line {
  label: string;
  cell(relay: string): string;
}

/**
 * A Markdown table of medians, and a list of the results they come from. It uses no result of a busy machine,
 * and no repeat that generator or sink limited.
 */
export function figures(all: readonly NamedResults[]): string {
  const idle = all.filter(({ results }) => busyWarning(results) === undefined);
  const parts = newestOfEachCell(idle.map(withoutWorthless));
  const refused = all.filter((one) => !idle.includes(one));
  const rows = summarize(parts.flatMap(({ samples }) => samples)).filter(({ runs }) => runs > 0);
  const relays = [...HEADINGS.keys()].filter((name) => rows.some(({ relay }) => relay === name));
  const lines = linesOf(rows)
    .map(({ label, cell }) => [label, ...relays.map(cell)])
    .filter(([, ...cells]) => cells.some((cell) => cell !== NOTHING));
  const table = markdownTable(["", ...relays.map((relay) => HEADINGS.get(relay) ?? relay)], lines);
  return [table, [...parts.map(originOf), ...refused.map(refusalOf)].join("\n")].join("\n\n");
}

/** A result without the samples that say nothing about a relay. */
interface SoundResults extends NamedResults {
  samples: Sample[];
  leftOut: number;
}

function withoutWorthless({ name, results }: NamedResults): SoundResults {
  const samples = results.samples.filter((sample) => !isWorthless(sample));
  return { name, results, samples, leftOut: results.samples.length - samples.length };
}

function refusalOf({ name, results }: NamedResults): string {
  return `- [${name}](bench/results/${name}/README.md): not used. ${busyWarning(results)}`;
}

/** Each result with the samples of its cells that no newer result has. */
function newestOfEachCell(all: readonly SoundResults[]): SoundResults[] {
  const seen = new Set<string>();
  const newestFirst = all.toSorted((a, b) => b.results.date.localeCompare(a.results.date));
  const parts = newestFirst.map((one) => {
    const samples = one.samples.filter((sample) => !seen.has(cellOf(sample)));
    for (const sample of samples) seen.add(cellOf(sample));
    return { ...one, samples };
  });
  return parts.filter(({ samples }) => samples.length > 0);
}

function originOf({ name, results, samples, leftOut }: SoundResults): string {
  const { date, commit, machine, kernel, bun } = results;
  const repeats = [...Map.groupBy(samples, cellOf).values()].map(({ length }) => length);
  const [least, most] = [Math.min(...repeats), Math.max(...repeats)];
  const count = least === most ? `${most}` : `${least} to ${most}`;
  return [
    `- [${name}](bench/results/${name}/README.md): ${date.slice(0, 10)}, commit ${commit}, ${machine.cores} cores of`,
    `${machine.cpu}, Linux ${kernel}, Bun ${bun}, ${count} ${most === 1 ? "repeat" : "repeats"}.`,
    leftOut === 0 ? "" : `Measurements left out because generator or sink limited them: ${leftOut}.`,
  ]
    .join(" ")
    .trimEnd();
}

function linesOf(rows: readonly Row[]): Line[] {
  const of = (scenario: string) => rows.filter((row) => row.scenario === scenario);
  const flood = of("flood");
  const flooded = distinct(flood.map(({ size = 0 }) => size));
  const inSizes = (sizes: readonly number[]) => `${sizes.map(formatCount).join(" / ")} bytes`;
  const besides = distinct(of("neighbours").map(({ detail = "" }) => detail));
  const inEachSize = (rows: readonly Row[], key: string, unit: string) => (relay: string) =>
    joined(
      flooded.flatMap((size) => medians(rows, { relay, size }, key)),
      unit,
    );
  const highest = highestRates(rows);
  const swept = distinct(highest.map(({ size }) => size));
  return [
    {
      label: `carried when flooded, ${inSizes(flooded)}`,
      cell: (relay) => carried(flood, flooded, relay),
    },
    {
      label: `highest rate tried with at most 0.1 % lost in every repeat, ${inSizes(swept)}`,
      cell: (relay) => {
        const rates = swept.map((size) => {
          const found = highest.find((one) => one.relay === relay && one.size === size);
          return found === undefined ? NOTHING : formatHighestRate(found);
        });
        return distinct(rates).length < 2 ? (rates[0] ?? NOTHING) : rates.join(" / ");
      },
    },
    {
      label: `CPU for a datagram when flooded, both ends, ${inSizes(flooded)}`,
      cell: inEachSize(flood, "cpuUs", " us"),
    },
    ...distinct(of("latency").map(({ rate = 0 }) => rate)).flatMap((rate) =>
      delays(
        of("latency").filter((row) => row.rate === rate),
        `at ${formatCount(rate)} datagrams/s`,
      ),
    ),
    ...delays(of("burst"), "in bursts of 64"),
    ...throughWireGuard(of("wireguard")),
    {
      label: `how late a ${TIMER_MS} ms timer is in the flooded client (99 %), ${inSizes(flooded)}`,
      cell: inEachSize(of("timers"), "clientP99Ms", " ms"),
    },
    {
      label: "first answer when 1,000 sources start at once",
      cell: (relay) =>
        joined(
          medians(of("sessions"), { relay, detail: "1000 sessions" }, "firstP50Ms", "firstP99Ms"),
          " ms",
        ),
    },
    ...besides.map((detail) => ({
      label: `round trip of a quiet session ${detail}`,
      cell: (relay: string) =>
        joined(medians(of("neighbours"), { relay, detail }, "tripP50Us", "tripP99Us"), " us"),
    })),
    ...distinct(of("slow-link").map(({ detail = "" }) => detail)).map((detail) => ({
      label: `delay ${detail}, overloaded`,
      cell: (relay: string) => joined(medians(of("slow-link"), { relay, detail }, "p50Ms", "p99Ms"), " ms"),
    })),
    {
      label: "memory of both ends, at rest / at most when flooded",
      cell: (relay) => joined(medians(of("memory"), { relay }, "restMB", "peakMB"), " MB"),
    },
    {
      label: "start, until the server listens / the client has joined it",
      cell: (relay) => joined(medians(of("start-up"), { relay }, "serverMs", "clientMs"), " ms"),
    },
  ];
}

/** Throughput in each size. If the generator was the limit, it is a lower bound. */
function carried(flood: readonly Row[], sizes: readonly number[], relay: string): string {
  const rows = sizes.map((size) => flood.find((row) => row.relay === relay && row.size === size));
  const values = rows.map((row) => row?.values[DELIVERED.key]?.median);
  return joined(
    values,
    "/s",
    rows.map((row) => row?.lowerBound ?? false),
  );
}

/** Delay and cost of one load, in the first second and in the settled state. */
function delays(rows: readonly Row[], load: string): Line[] {
  const details = distinct(rows.map(({ detail = "" }) => detail));
  return details
    .filter((detail) => /^(first second|settled)/.test(detail))
    .flatMap((detail) => {
      const when = `${load}, ${detail}`;
      return [
        {
          label: `delay ${when}`,
          cell: (relay: string) => joined(medians(rows, { relay, detail }, "p50Us", "p99Us"), " us"),
        },
        {
          label: `CPU for a datagram ${when}`,
          cell: (relay: string) => joined(medians(rows, { relay, detail }, "cpuUs"), " us"),
        },
      ];
    });
}

function throughWireGuard(rows: readonly Row[]): Line[] {
  return [
    {
      label: "ping through WireGuard (median), just started / after iperf3",
      cell: (relay) => joined(medians(rows, { relay }, "startedMs", "settledMs"), " ms"),
    },
    {
      label: "iperf3 through WireGuard",
      cell: (relay) => joined(medians(rows, { relay }, "mbits"), " Mbit/s"),
    },
  ];
}

/** Medians, by column key, of the row with these conditions. */
function medians(
  rows: readonly Row[],
  conditions: Partial<Row>,
  ...keys: readonly string[]
): (number | undefined)[] {
  const wanted = Object.entries(conditions);
  const row = rows.find((row) => wanted.every(([key, value]) => row[key as keyof Row] === value));
  return keys.map((key) => row?.values[key]?.median);
}

/** Formats figures of one unit with three digits; some are lower bounds. A missing figure is a dash. */
function joined(
  values: readonly (number | undefined)[],
  unit: string,
  lowerBounds: readonly boolean[] = [],
): string {
  const known = values.map((value) => (Number.isFinite(value) ? value : undefined));
  if (known.every((value) => value === undefined)) return NOTHING;
  const figures = known.map((value, index) => {
    if (value === undefined) return NOTHING;
    return `${lowerBounds[index] ? ">= " : ""}${value.toLocaleString("en", { maximumSignificantDigits: 3 })}`;
  });
  return `${figures.join(" / ")}${unit}`;
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
