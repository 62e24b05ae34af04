/**
 * Shared code of the programs generator and sink: messages to the parent as lines of JSON, arguments, exit
 * status.
 */

import { writeSync } from "node:fs";
import type { Endpoint } from "../../src/net/endpoint.ts";

/** Prints a message as one line of JSON, synchronously, so that it is not lost when the process ends. */
export function writeMessage(message: { type: string } & Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

/**
 * Runs the main function of a program and ends the process. On an error it prints one line; the status is 1.
 */
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
 * @throws Error that quotes invalid text.
 */
export function parseEndpoint(text: string): Endpoint {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined || Number(port) > 65_535) throw new Error(`"${text}" is not ADDRESS:PORT`);
  return { address, port: Number(port) };
}
