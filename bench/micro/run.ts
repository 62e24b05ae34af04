/**
 * Runs every `*.bench.ts` of this folder, next to a naive implementation, and prints one line per payload
 * size. The naive one is code of the benchmark, not another program:
 *
 *     bun bench/micro/run.ts [--only NAME] [--sizes 64,1200,mix] [--json FILE] [--tiny]
 *
 * The figures are medians of many samples (mitata). allocation.ts measures allocated bytes in other
 * processes.
 */

import { arch, cpus, release } from "node:os";
import { parseArgs, styleText } from "node:util";
import { measure } from "mitata";
import { allocatedBytes } from "./allocation.ts";
import { BATCH_DATAGRAMS, type Contender, type Load, loadOf, type MicroBench, SIZES } from "./micro-bench.ts";

/** The figures of one contender. */
interface Measured {
  /** Nanoseconds per datagram: the median, the fastest sample and the 99th percentile. */
  ns: number;
  nsMin: number;
  nsP99: number;
  datagramsPerSecond: number;
  /** Payload only, without headers. */
  bytesPerSecond: number;
  /** Bytes allocated per datagram, garbage included; null when the measurement failed. */
  allocatedBytes: number | null;
}

/** One line of the table. */
interface Row {
  bench: string;
  size: string;
  ours: Measured;
  naive: Measured;
  /** How many times faster ours is. Below 1, the naive way is faster. */
  ratio: number;
}

// Samples of 64 calls: mitata's default of 4096 would take seconds where the naive way is slow.
const FULL = { min_cpu_time: 300e6, min_samples: 12, batch_samples: 64 };
const TINY = { min_cpu_time: 0, min_samples: 2, batch_samples: 4 };

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    sizes: { type: "string", default: SIZES.join(",") },
    json: { type: "string" },
    tiny: { type: "boolean", default: false },
  },
});

async function findBenches(): Promise<{ file: string; bench: MicroBench }[]> {
  const files = [...new Bun.Glob("*.bench.ts").scanSync({ cwd: import.meta.dir, absolute: true })].sort();
  const found: { file: string; bench: MicroBench }[] = [];
  for (const file of files)
    found.push({ file, bench: ((await import(file)) as { default: MicroBench }).default });
  return found;
}

async function measured(
  file: string,
  name: "ours" | "naive",
  contender: Contender,
  load: Load,
): Promise<Measured> {
  const stats = await measure(contender(load), { ...(options.tiny ? TINY : FULL) });
  const ns = stats.p50 / BATCH_DATAGRAMS;
  const payloadBytes = load.datagrams.reduce((sum, { length }) => sum + length, 0) / load.datagrams.length;
  return {
    ns,
    nsMin: stats.min / BATCH_DATAGRAMS,
    nsP99: stats.p99 / BATCH_DATAGRAMS,
    datagramsPerSecond: 1e9 / ns,
    bytesPerSecond: (1e9 / ns) * payloadBytes,
    allocatedBytes: (await allocatedBytes(file, name, load.size, options.tiny)) ?? null,
  };
}

async function measureRow(file: string, bench: MicroBench, size: string): Promise<Row> {
  const load = loadOf(size);
  const ours = await measured(file, "ours", bench.ours, load);
  const naive = await measured(file, "naive", bench.naive, load);
  return { bench: bench.name, size, ours, naive, ratio: naive.ns / ours.ns };
}

const WIDTHS = [8, 10, 10, 17, 10, 11, 14, 15];
const HEADINGS = [
  ...["payload", "ours ns", "naive ns", "naive / ours ns", "ours M/s", "ours GB/s"],
  ...["ours alloc B", "naive alloc B"],
];

function printLine(cells: string[], emphasis: (cell: string, column: number) => string): void {
  const padded = cells.map((cell, column) => emphasis(cell.padStart(WIDTHS[column] ?? 0), column));
  process.stdout.write(`${padded.join("")}\n`);
}

function printRow({ size, ours, naive, ratio }: Row): void {
  const cells = [
    size,
    ours.ns.toFixed(1),
    naive.ns.toFixed(1),
    `${ratio.toFixed(ratio < 10 ? 2 : 0)}x`,
    (ours.datagramsPerSecond / 1e6).toFixed(2),
    (ours.bytesPerSecond / 1e9).toFixed(2),
    String(ours.allocatedBytes ?? "?"),
    String(naive.allocatedBytes ?? "?"),
  ];
  const colour = ratio >= 1 ? "green" : "red";
  printLine(cells, (cell, column) =>
    column === 3 ? styleText(colour, cell, { stream: process.stdout }) : cell,
  );
}

function machine() {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    arch: arch(),
    kernel: release(),
    bun: Bun.version,
  };
}

/** @returns the error in the command line, or undefined. */
function usageError(names: string[], sizes: string[]): string | undefined {
  if (options.only !== undefined && !names.includes(options.only))
    return `no benchmark is named ${options.only}. The benchmarks are: ${names.join(", ")}`;
  const invalid = sizes.find((size) => size !== "mix" && !(/^\d{1,5}$/.test(size) && Number(size) <= 65_507));
  return invalid === undefined
    ? undefined
    : `a payload size must be 0 to 65507 or mix, not ${JSON.stringify(invalid)}`;
}

const benches = await findBenches();
const sizes = options.sizes.split(",");
const error = usageError(
  benches.map(({ bench }) => bench.name),
  sizes,
);
if (error !== undefined) {
  process.stderr.write(`${error}\n`);
  process.exit(2);
}

const rows: Row[] = [];
for (const { file, bench } of benches) {
  if (options.only !== undefined && bench.name !== options.only) continue;
  process.stdout.write(`\n${styleText("bold", bench.name, { stream: process.stdout })}: ${bench.about}\n`);
  printLine(HEADINGS, (cell) => styleText("dim", cell, { stream: process.stdout }));
  for (const size of sizes) {
    const row = await measureRow(file, bench, size);
    printRow(row);
    rows.push(row);
  }
}
process.stdout.write(
  "\nPer datagram, medians. naive: the plain implementation beside it in the same file. alloc B: bytes\n" +
    "allocated, garbage included.\n",
);
if (options.json !== undefined) {
  const report = {
    kind: "micro",
    at: new Date().toISOString(),
    tiny: options.tiny,
    machine: machine(),
    rows,
  };
  await Bun.write(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
