import { OptionsError } from "../../src/errors.ts";
import { readClientOptions, readServerOptions, type Settings } from "../../src/options/settings.ts";
import type { ClientOptions, ServerOptions } from "../../src/options/tunnel-options.ts";

/** Options of any types, as a JavaScript program may give them. */
export type Loose = Record<string, unknown>;

/** The settings of a server with these options and the required ones. */
export const server = (options: Loose): Settings =>
  readServerOptions({ listen: 5000, target: "h/5000", ...options } as ServerOptions);
/** The settings of a client with these options and the required ones. */
export const client = (options: Loose): Settings =>
  readClientOptions({ connect: "peer", target: "h/5000", ...options } as ClientOptions);

/** The lines of the OptionsError that `read` throws; empty if it throws none. */
export function problemsOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof OptionsError) return error.message.split("\n");
    throw error;
  }
  return [];
}
