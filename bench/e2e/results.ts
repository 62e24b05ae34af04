/** What a run leaves behind: every raw repeat, and all that is needed to judge it later. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import type { Plan, Sample } from "./scenario.ts";

const FORMAT = "udptunnel-bench-1";
/** A machine with less to do than this on average leaves both cores to the measurement. */
const LOAD_IDLE = 0.5;
const ROOT = join(import.meta.dir, "../..");
/** What the README's figures are made from. */
export const RESULTS_FOLDER = join(ROOT, "bench/results");
/** Where a whole full run puts its results. */
export const FULL_RESULT = join(RESULTS_FOLDER, "full.json");

export interface Results {
  format: typeof FORMAT;
  /** When the run began, in ISO 8601. */
  date: string;
  machine: { cpu: string; cores: number; memoryBytes: number; arch: string };
  /** Runnable processes in the minute before, on average: what else this machine was doing. */
  loadBefore: number;
  kernel: string;
  bun: string;
  /** The commit measured; `+` when the working tree differed from it. */
  commit: string;
  /** Sysctls that bound what sockets may hold, by name. */
  limits: Record<string, string>;
  plan: Omit<Plan, "floodRate">;
  /** What the benchmark was told on its command line, but for where to write; older results lack it. */
  arguments?: string[];
  leftOut: string[];
  samples: Sample[];
}

/** Results without anything measured yet: this machine, now, and what it is going to do. */
export function describeRun(plan: Plan, words: string[], leftOut: string[]): Results {
  const { floodRate: _, ...rest } = plan;
  return {
    format: FORMAT,
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryBytes: totalmem(),
      arch: arch(),
    },
    loadBefore: loadavg()[0] ?? 0,
    kernel: release(),
    bun: Bun.version,
    commit: commit(),
    limits: Object.fromEntries(
      [
        "core/rmem_default",
        "core/rmem_max",
        "core/wmem_default",
        "core/wmem_max",
        "ipv4/tcp_rmem",
        "ipv4/tcp_wmem",
      ].map((name) => [`net.${name.replace("/", ".")}`, sysctl(name)]),
    ),
    plan: rest,
    arguments: words,
    leftOut,
    samples: [],
  };
}

/** A warning for readers when the machine had more to do than to measure; undefined when it was idle enough. */
export function busyWarning({ loadBefore }: Pick<Results, "loadBefore">): string | undefined {
  if (loadBefore <= LOAD_IDLE) return undefined;
  return `This machine was busy before the run (load ${loadBefore.toFixed(1)}): its figures are worth little.`;
}

/** Reads results back. @throws Error that names the file when it is no result of ours. */
export async function readResults(path: string): Promise<Results> {
  const results = (await Bun.file(path).json()) as Results;
  if (results.format !== FORMAT) throw new Error(`${path} does not hold results of format ${FORMAT}`);
  return results;
}

/** Writes them at once, so that a signal finds the file whole. */
export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
}

/** The command that measures the same again; undefined for results that do not tell. */
export function commandOf({ arguments: words }: Results): string | undefined {
  if (words === undefined) return undefined;
  const command = ["bench", ...words.map(quoted)].join(" ");
  return `bun run ${command.replace(/^bench --plan full/, "bench:full")}`;
}

function quoted(word: string): string {
  return /^[\w./:,=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function commit(): string {
  if (Bun.which("git") === null) return "unknown";
  const git = (...words: string[]) =>
    Bun.spawnSync(["git", ...words], { cwd: ROOT })
      .stdout.toString()
      .trim();
  return `${git("rev-parse", "--short=12", "HEAD") || "unknown"}${git("status", "--porcelain") === "" ? "" : "+"}`;
}

function sysctl(name: string): string {
  try {
    return readFileSync(`/proc/sys/net/${name}`, "latin1").trim().replace(/\s+/g, " ");
  } catch {
    return "unknown";
  }
}
