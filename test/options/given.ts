import { OptionsError } from "../../src/errors.ts";
import { readClientOptions, readServerOptions, type Settings } from "../../src/options/settings.ts";
import type { ClientOptions, ServerOptions } from "../../src/options/tunnel-options.ts";

/** Options as JavaScript may give them, whatever their types. */
export type Loose = Record<string, unknown>;

/** A server with these options beside the ones it needs. */
export const server = (options: Loose): Settings =>
  readServerOptions({ listen: 5000, target: "h/5000", ...options } as ServerOptions);
/** A client with these options beside the ones it needs. */
export const client = (options: Loose): Settings =>
  readClientOptions({ connect: "peer", target: "h/5000", ...options } as ClientOptions);

/** The lines of the error that reading the options throws; none when it throws none. */
export function problemsOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof OptionsError) return error.message.split("\n");
    throw error;
  }
  return [];
}
