/** A slow path between two network namespaces, for the time of one measurement. */

import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ip, Namespaces } from "./namespaces.ts";
import { BenchProcess } from "./process.ts";

export interface PathProperties {
  bitsPerSecond: number;
  /** One-way delay. */
  delayMs: number;
  /** The size of the queue before the bottleneck. A full queue drops packets. */
  queueBytes: number;
  lossPercent: number;
}

/** Addresses of the two ends (RFC 2544 reserves 198.18.0.0/15 for benchmarks). */
const NEAR = "198.18.0.1";
export const FAR = "198.18.0.2";
const SOURCE = join(import.meta.dir, "link-emulator.c");

/** The reason why this machine cannot emulate a slow path; undefined when it can. */
export function whyNoSlowPath(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const program of ["ip", "cc"]) if (Bun.which(program) === null) return `${program} is not on the PATH`;
  return undefined;
}

export class SlowPath implements AsyncDisposable {
  readonly near: string;
  readonly far: string;
  readonly #emulator: BenchProcess;
  readonly #namespaces: Namespaces;

  private constructor(namespaces: Namespaces, emulator: BenchProcess) {
    [this.near, this.far] = namespaces.names as [string, string];
    this.#emulator = emulator;
    this.#namespaces = namespaces;
  }

  /** @throws Error when a namespace or a device cannot be created. */
  static async open(properties: PathProperties): Promise<SlowPath> {
    const program = await emulatorProgram();
    const namespaces = new Namespaces(["near", "far"]);
    const [near, far] = namespaces.names as [string, string];
    const { bitsPerSecond, delayMs, queueBytes, lossPercent } = properties;
    const numbers = [bitsPerSecond, delayMs * 1000, queueBytes, lossPercent * 10_000];
    const emulator = new BenchProcess("link emulator", [
      program,
      near,
      far,
      ...numbers.map((n) => `${Math.round(n)}`),
    ]);
    const path = new SlowPath(namespaces, emulator);
    try {
      await emulator.message("ready");
      for (const [name, address] of [
        [near, NEAR],
        [far, FAR],
      ] as const) {
        ip("-n", name, "address", "add", `${address}/30`, "dev", "path");
        ip("-n", name, "link", "set", "path", "mtu", "1500", "up");
      }
    } catch (error) {
      await path[Symbol.asyncDispose]();
      throw error;
    }
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#emulator.stop();
    this.#namespaces[Symbol.dispose]();
  }
}

let compiled: Promise<string> | undefined;

/** Compiles the emulator once per run. */
function emulatorProgram(): Promise<string> {
  compiled ??= (async () => {
    const folder = await mkdtemp(join(tmpdir(), "udptunnel-bench-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, "link-emulator");
    const { exitCode, stderr } = Bun.spawnSync(["cc", "-O2", "-o", program, SOURCE]);
    if (exitCode !== 0) throw new Error(`cannot compile the link emulator: ${stderr.toString().trim()}`);
    return program;
  })();
  return compiled;
}
