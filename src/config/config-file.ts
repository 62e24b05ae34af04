import { readFile } from "node:fs/promises";
import type { NamedOption } from "./named-options.ts";
import type { TunnelPlan } from "./plan.ts";

/**
 * Reads a configuration file, and finds every problem at once: each is one line with the file's name, the line and the key. There
 * are plans only when there is no problem. Never rejects: a file that cannot be read is a problem, too. Other work of the process
 * goes on between the tunnels of a long file.
 *
 * @param shared options that every tunnel has which its table does not give.
 */
export async function readConfigFile(
  file: string,
  shared: readonly NamedOption[],
): Promise<{ readonly plans: readonly TunnelPlan[]; readonly problems: readonly string[] }> {
  // The TOML parser is loaded only where there is a file to parse.
  const { formatProblem, readConfigInSteps } = await import("./read-config.ts");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    return { plans: [], problems: [`${file}: cannot be read: ${code}`] };
  }
  const steps = readConfigInSteps(text, shared);
  for (;;) {
    const step = steps.next();
    if (step.done) {
      const { plans, problems } = step.value;
      return { plans, problems: problems.map((problem) => formatProblem(file, problem)) };
    }
    await new Promise(setImmediate);
  }
}
