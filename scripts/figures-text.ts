/** The README's figures, from every result that is kept. */

import { basename, join } from "node:path";
import { figures } from "../bench/e2e/figures.ts";
import { RESULTS_FOLDER, readResults } from "../bench/e2e/results.ts";
import type { Generated } from "./generated.ts";

/** The medians of bench/results; where two results have the same cell, the newer one's. */
export async function benchmarkFigures(): Promise<Generated> {
  const files = [...new Bun.Glob("*.json").scanSync(RESULTS_FOLDER)].toSorted();
  const all = await Promise.all(
    files.map(async (file) => ({
      name: basename(file, ".json"),
      results: await readResults(join(RESULTS_FOLDER, file)),
    })),
  );
  return {
    begin: "<!-- figures:begin -->",
    end: "<!-- figures:end -->",
    lines: `\n\n${figures(all)}\n\n`,
  };
}
