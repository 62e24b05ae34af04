import { readFile } from "node:fs/promises";
import type { NamedOption } from "./named-options.ts";
import type { TunnelPlan } from "./plan.ts";
import { formatProblem, readConfig } from "./read-config.ts";

/**
 * Reads a configuration file, and finds every problem at once: each is one line with the file's name, the line and the key. There
 * are plans only when there is no problem. Never rejects: a file that cannot be read is a problem, too.
 *
 * @param shared options that every tunnel has which its table does not give.
 */
export async function readConfigFile(
  file: string,
  shared: readonly NamedOption[],
): Promise<{ readonly plans: readonly TunnelPlan[]; readonly problems: readonly string[] }> {
  try {
    const { plans, problems } = readConfig(await readFile(file, "utf8"), shared);
    return { plans, problems: problems.map((problem) => formatProblem(file, problem)) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    return { plans: [], problems: [`${file}: cannot be read: ${code}`] };
  }
}
