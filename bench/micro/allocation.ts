/**
 * Measures the bytes allocated per datagram, in a process of its own without garbage collection: there, every
 * allocation is growth of resident memory. run.ts runs it as `allocation.ts FILE ours|naive SIZE BATCHES`. It
 * prints one number.
 */

import { memoryUsage } from "bun:jsc";
import { BATCH_DATAGRAMS, type Contender, loadOf, type MicroBench } from "./micro-bench.ts";

const GROWTH_BYTES_MAX = 128 * 1024 * 1024;
const BATCHES_MAX = 5000;

/** @returns bytes per datagram, or undefined when the process that measures failed. */
export async function allocatedBytes(
  file: string,
  contender: "ours" | "naive",
  size: string,
  tiny: boolean,
): Promise<number | undefined> {
  const batchesMax = String(tiny ? 2 : BATCHES_MAX);
  const measuring = Bun.spawn([process.execPath, import.meta.path, file, contender, size, batchesMax], {
    env: { ...process.env, BUN_JSC_useGC: "0" },
    stdout: "pipe",
    stderr: "inherit",
  });
  const printed = await measuring.stdout.text();
  return (await measuring.exited) === 0 ? Number(printed) : undefined;
}

function growthPerDatagram(contender: Contender, size: string, batchesMax: number): number {
  const batch = contender(loadOf(size));
  /** Runs batches until memory has grown too far. @returns how many ran. */
  const run = (batchesAtMost: number) => {
    const start = memoryUsage().current;
    let batches = 0;
    while (batches < batchesAtMost && memoryUsage().current - start < GROWTH_BYTES_MAX) {
      batch();
      batches++;
    }
    return batches;
  };
  // In the first batches the compiler's memory grows, too.
  run(batchesMax / 5);
  const before = memoryUsage().current;
  const batches = run(batchesMax);
  return (memoryUsage().current - before) / batches / BATCH_DATAGRAMS;
}

if (import.meta.main) {
  const [file, name, size, batchesMax] = Bun.argv.slice(2) as [string, "ours" | "naive", string, string];
  const bench = ((await import(file)) as { default: MicroBench }).default;
  const bytes = growthPerDatagram(bench[name], size, Number(batchesMax));
  process.stdout.write(String(Math.max(0, Math.round(bytes))));
}
