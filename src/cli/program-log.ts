/** What the program reports, on stderr: text for people or JSON for machines, as much of it as `-v` asks for. */

import type { NameOf } from "../observe/describe-event.ts";
import { CATEGORY, EventLog } from "../observe/event-log.ts";
import { redactText } from "../observe/redact.ts";
import type { ProgramOptions } from "../options/table.ts";
import { log, setFormatter, writeLine } from "./log.ts";

/** By how often `-v` was given. */
const LOWEST_LEVELS = ["warning", "info", "trace"] as const;

export interface ProgramLogOptions {
  /** Whether lines of text begin with the tunnel's name. */
  readonly named: boolean;
  /** Spells options in messages. */
  readonly nameOf: NameOf;
}

export class ProgramLog {
  readonly #program: ProgramOptions;
  readonly #named: boolean;
  readonly #nameOf: NameOf;
  readonly #logs = new Map<string, EventLog>();
  #loading: Promise<typeof import("@logtape/logtape")> | undefined;

  constructor(program: ProgramOptions, { named, nameOf }: ProgramLogOptions) {
    this.#program = program;
    this.#named = named;
    this.#nameOf = nameOf;
    if (program.log === "json") setFormatter((line) => JSON.stringify(plainRecord(hide(line))));
    else if (program.redact) setFormatter((line) => `udptunnel: ${hide(line)}`);

    function hide(line: string): string {
      return program.redact ? redactText(line) : line;
    }
  }

  /** The log of the tunnel of this name. */
  of(name: string): EventLog {
    const { redact, verbosity } = this.#program;
    const lowestLevel = LOWEST_LEVELS[verbosity] ?? "trace";
    const options = { name, nameOf: this.#nameOf, redact, lowestLevel, load: () => this.#load() };
    const log = this.#logs.get(name) ?? new EventLog(options);
    this.#logs.set(name, log);
    return log;
  }

  /** Whether single datagrams are reported. */
  get tracing(): boolean {
    return this.#program.verbosity > 1;
  }

  /** Settles when everything is written. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.flushed()));
  }

  #load(): Promise<typeof import("@logtape/logtape")> {
    this.#loading ??= this.#configure().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #configure(): Promise<typeof import("@logtape/logtape")> {
    const logtape = await import("@logtape/logtape");
    const toJson = logtape.getJsonLinesFormatter({ categorySeparator: "." });
    const stderr: import("@logtape/logtape").Sink =
      this.#program.log === "json"
        ? (record) => writeLine(toJson(record).trimEnd())
        : ({ category, message }) => log(`${this.#named ? `${category[1]}: ` : ""}${message.join("")}`);
    logtape.configureSync({
      sinks: { stderr },
      loggers: [
        { category: CATEGORY, sinks: ["stderr"], lowestLevel: "trace" },
        { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
      ],
    });
    return logtape;
  }
}

/** What is said about no tunnel, in the form of LogTape's JSON lines. */
function plainRecord(message: string) {
  return { "@timestamp": new Date().toISOString(), level: "INFO", message, logger: CATEGORY, properties: {} };
}
