/** The stored result of a run: every raw repeat, and the conditions of the measurement. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import type { Plan, Sample } from "./scenario.ts";

const FORMAT = "udptunnel-bench-1";
/** Below this load average both cores are free for the measurement. */
const LOAD_IDLE = 0.5;
const ROOT = join(import.meta.dir, "../..");
/** The results for the figures of the README. */
export const RESULTS_FOLDER = join(ROOT, "bench/results");
/** The result file of a complete full run. */
export const FULL_RESULT = join(RESULTS_FOLDER, "full.json");

export interface Results {
  format: typeof FORMAT;
  /** The start of the run in ISO 8601. */
  date: string;
  machine: { cpu: string; cores: number; memoryBytes: number; arch: string };
  /** The load average of the minute before the run: other work of this machine. */
  loadBefore: number;
  kernel: string;
  bun: string;
  /** The measured commit, with `+` when the working tree differed from it. */
  commit: string;
  /** Sysctls that limit socket buffers, by name. */
  limits: Record<string, string>;
  plan: Omit<Plan, "floodRate">;
  /** The command line except `--json`. Older results lack it. */
  arguments?: string[];
  leftOut: string[];
  samples: Sample[];
}

/** Results without samples: the machine, the time and the plan. */
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

/** A warning when the machine was busy before the run; undefined when it was idle. */
export function busyWarning({ loadBefore }: Pick<Results, "loadBefore">): string | undefined {
  if (loadBefore <= LOAD_IDLE) return undefined;
  return `This machine was busy before the run (load ${loadBefore.toFixed(1)}): its figures are worth little.`;
}

/** Reads results. @throws Error with the file name when its format is unknown. */
export async function readResults(path: string): Promise<Results> {
  const results = (await Bun.file(path).json()) as Results;
  if (results.format !== FORMAT) throw new Error(`${path} does not hold results of format ${FORMAT}`);
  return results;
}

/** Writes results synchronously, so that a signal does not leave a partial file. */
export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
}

/** The command that repeats the measurement; undefined for results without it. */
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
