/** Reads a configuration file from disk. */

import { readRegularFile } from "../net/regular-file.ts";
import type { NamedOption } from "./named-options.ts";
import type { TunnelPlan } from "./plan.ts";

/** At most this many problems are reported. */
const PROBLEMS_MAX = 500;
/** A tunnel needs about 100 bytes. */
const FILE_BYTES_MAX = 4 << 20;

/**
 * Reads a configuration file and finds every problem at once. Each of the first 500 is one line with the name
 * of the file, the line number and the key. If there is a problem, there are no plans. Never rejects: a
 * file that cannot be read is a problem, too. Between the tunnels of a long file, the process does other
 * work.
 *
 * @param shared options for every tunnel whose table does not give them.
 */
export async function readConfigFile(
  file: string,
  shared: readonly NamedOption[],
): Promise<{ readonly plans: readonly TunnelPlan[]; readonly problems: readonly string[] }> {
  // The TOML parser is loaded only where there is a file to parse.
  const { formatProblem, readConfigInSteps } = await import("./read-config.ts");
  let text: string;
  try {
    text = new TextDecoder().decode(readRegularFile(file, FILE_BYTES_MAX).bytes);
  } catch (error) {
    return { plans: [], problems: [`${file}: ${(error as Error).message}`] };
  }
  const steps = readConfigInSteps(text, shared);
  for (;;) {
    const step = steps.next();
    if (step.done) {
      const { plans, problems } = step.value;
      const lines = problems.slice(0, PROBLEMS_MAX).map((problem) => formatProblem(file, problem));
      const more = problems.length - lines.length;
      return { plans, problems: more > 0 ? [...lines, `${file}: has ${more} more problems`] : lines };
    }
    await new Promise(setImmediate);
  }
}
