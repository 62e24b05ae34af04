/**
 * Bytes allocated per datagram, measured where nothing is ever collected: a process of its own with the garbage
 * collector off, in which every allocation shows as growth of resident memory. Run by run.ts as
 * `allocation.ts FILE ours|naive SIZE BATCHES`; prints one number.
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
  /** How many batches were run before memory had grown too far, or enough were. */
  const run = (batchesAtMost: number) => {
    const start = memoryUsage().current;
    let batches = 0;
    while (batches < batchesAtMost && memoryUsage().current - start < GROWTH_BYTES_MAX) {
      batch();
      batches++;
    }
    return batches;
  };
  // The first batches also grow the compiler's memory.
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
