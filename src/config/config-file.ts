import { readFile } from "node:fs/promises";
import type { TunnelPlan } from "./plan.ts";
import { formatProblem, readConfig } from "./read-config.ts";

/**
 * Reads a configuration file, and finds every problem at once: each is one line with the file's name, the line and the key. There
 * are plans only when there is no problem. Never rejects: a file that cannot be read is a problem, too.
 */
export async function readConfigFile(
  file: string,
): Promise<{ readonly plans: readonly TunnelPlan[]; readonly problems: readonly string[] }> {
  try {
    const { plans, problems } = readConfig(await readFile(file, "utf8"));
    return { plans, problems: problems.map((problem) => formatProblem(file, problem)) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    return { plans: [], problems: [`${file}: cannot be read: ${code}`] };
  }
}
