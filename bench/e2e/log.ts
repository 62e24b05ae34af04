/** How the generator and the sink talk to whoever started them: one line of JSON for each thing that happened. */

import { writeSync } from "node:fs";

/** Prints `message` as one line of JSON. Written at once, so that nothing is lost when the process ends. */
export function say(message: { type: string } & Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

/** Runs a program's main function and ends the process: with status 1 and one line when it failed. */
export async function runProgram(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    writeSync(2, `${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  }
  process.exit(0);
}
