/** What the generator and the sink share as programs: messages to their parent as lines of JSON, arguments, the exit status. */

import { writeSync } from "node:fs";
import type { Endpoint } from "../../src/net/endpoint.ts";

/** Prints `message` as one line of JSON. Written at once, so that nothing is lost when the process ends. */
export function writeMessage(message: { type: string } & Record<string, unknown>): void {
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

/**
 * Reads `ADDRESS:PORT`, with brackets around an IPv6 address.
 *
 * @throws Error that quotes what it cannot read.
 */
export function parseEndpoint(text: string): Endpoint {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined || Number(port) > 65_535) throw new Error(`"${text}" is not ADDRESS:PORT`);
  return { address, port: Number(port) };
}
