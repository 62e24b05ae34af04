/** What a run leaves behind: every raw repeat, and all that is needed to judge it later. */

import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Plan, Sample } from "./scenario.ts";

const FORMAT = "udptunnel-bench-1";
/** A machine with less to do than this on average leaves both cores to the measurement. */
const LOAD_IDLE = 0.5;
const ROOT = join(import.meta.dir, "../..");

export interface Results {
  format: typeof FORMAT;
  /** ISO 8601. */
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
  leftOut: string[];
  samples: Sample[];
}

/** Describes this machine and adds what was measured. */
export function describeResults(
  plan: Plan,
  samples: Sample[],
  leftOut: string[],
  loadBefore: number,
): Results {
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
    loadBefore,
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
    leftOut,
    samples,
  };
}

/** What else this machine is doing now. */
export function loadNow(): number {
  return loadavg()[0] ?? 0;
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

export async function writeResults(path: string, results: Results): Promise<void> {
  await Bun.write(path, `${JSON.stringify(results, null, 1)}\n`);
}

/** Where a full run puts its results. */
export function resultsPath({ date, plan }: Results): string {
  return join(ROOT, "bench/results", `${date.slice(0, 19).replaceAll(":", "")}-${plan.name}.json`);
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
