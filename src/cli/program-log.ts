/**
 * The program's log on stderr: text for people or JSON for machines, with as much detail as `-v` requests.
 */

import type { NameOf } from "../observe/describe-event.ts";
import { CATEGORY, EventLog } from "../observe/event-log.ts";
import { redactText } from "../observe/redact.ts";
import type { ProgramOptions } from "../options/table.ts";
import { log, setFormatter, writeLine } from "./log.ts";

/** By how often `-v` was given. */
const LOWEST_LEVELS = ["warning", "info", "trace"] as const;

type LogTape = typeof import("@logtape/logtape");

export interface ProgramLogOptions {
  /** Whether lines of text begin with the tunnel's name. */
  readonly named: boolean;
  /** Spells options in messages. */
  readonly nameOf: NameOf;
}

export class ProgramLog {
  readonly #program: ProgramOptions;
  readonly #options: ProgramLogOptions;
  readonly #logs = new Map<string, EventLog>();
  #loading: Promise<LogTape> | undefined;

  constructor(program: ProgramOptions, options: ProgramLogOptions) {
    this.#program = program;
    this.#options = options;
    const hide = (line: string) => (program.redact ? redactText(line) : line);
    if (program.log === "json") setFormatter((line) => JSON.stringify(plainRecord(hide(line))));
    else setFormatter((line) => `udptunnel: ${hide(line)}`);
  }

  /** The log of the tunnel of this name. */
  of(name: string): EventLog {
    const { redact, verbosity } = this.#program;
    const { nameOf } = this.#options;
    const lowestLevel = LOWEST_LEVELS[verbosity] ?? "trace";
    const options = { name, nameOf, redact, lowestLevel, load: () => this.#load() };
    const log = this.#logs.get(name) ?? new EventLog(options);
    this.#logs.set(name, log);
    return log;
  }

  /** Whether each datagram is logged. */
  get tracing(): boolean {
    return this.#program.verbosity > 1;
  }

  /** Settles when LogTape has every record so far. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.flushed()));
  }

  #load(): Promise<LogTape> {
    this.#loading ??= this.#configure().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #configure(): Promise<LogTape> {
    const logtape = await import("@logtape/logtape");
    const toJson = logtape.getJsonLinesFormatter({ categorySeparator: "." });
    const stderr: import("@logtape/logtape").Sink =
      this.#program.log === "json"
        ? (record) => writeLine(toJson(record).trimEnd())
        : ({ category, message }) =>
            log(`${this.#options.named ? `${category[1]}: ` : ""}${message.join("")}`);
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

/** A message that concerns no single tunnel, in the form of LogTape's JSON lines. */
function plainRecord(message: string) {
  return { "@timestamp": new Date().toISOString(), level: "INFO", message, logger: CATEGORY, properties: {} };
}
